"""One sent file taken into a data set: checked, freed of its position, converted if need be, and recorded."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.builtin.reading.decoding import decoded
from engine.builtin.reading.formats import UnreadablePicture
from presets.datasets.files import (
    MASK_ENDING,
    ORIGINALS,
    PictureState,
    caption_of,
    locked,
    mask_of,
    read_caption_text,
    read_size,
    sha256_of,
    write_atomically,
)
from presets.datasets.kinds import CONVERTED, PLAIN, Kind, content_of, kind_of, stored_suffix, why_refused
from presets.datasets.names import flat_name
from presets.datasets.position import without_position
from presets.datasets.versions import Change, apply, state_of
from presets.models import DataSet, DataSetPicture, DataSetUpload
from web.errors import BadInput

logger = logging.getLogger(__name__)
Status = DataSetUpload.Status
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Arrival:
    """A complete file, which is moved into the set or deleted. `batch` connects files that were sent together.

    `placed` has the names in the set of pictures that were sent before under another name, by that name's stem.
    """

    path: Path
    filename: str
    by: User | None = None
    batch: str = ""
    keep_original: bool = False
    placed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    status: str
    detail: str = ""
    name: str = ""


def refuse_references(data_set: DataSet) -> None:
    """Raise BadInput if the folder is not one of the site's own."""
    if data_set.is_reference:
        raise BadInput(
            _("“%(name)s” is a folder of the server (%(path)s): add, rename and remove its pictures there.")
            % {"name": data_set.name, "path": data_set.path}
        )


def needs_worker(path: Path, filename: str) -> bool:
    """Whether taking the file in means to decode or unpack it. Raises OSError."""
    kind = kind_of(filename)
    if kind in (Kind.PICTURE, Kind.MASK):
        content = content_of(path)
        return content in CONVERTED or (kind is Kind.MASK and content in PLAIN and content != "png")
    return kind is Kind.ARCHIVE


def take_in(data_set: DataSet, arrival: Arrival) -> Outcome:
    """Take one file in, or refuse it with the reason; its file is gone then. Archives are unpacked elsewhere."""
    try:
        return _take_in(data_set, arrival)
    except OSError as error:
        logger.warning("%s cannot be stored: %s", arrival.filename, error)
        return Outcome(Status.REFUSED, _("It cannot be stored: %(error)s.") % {"error": error.strerror or error})
    finally:
        arrival.path.unlink(missing_ok=True)


def _take_in(data_set: DataSet, arrival: Arrival) -> Outcome:
    name = flat_name(arrival.filename)
    refused = why_refused(arrival.filename, arrival.path.stat().st_size)
    if refused or not name:
        return Outcome(Status.REFUSED, refused or _("Its name cannot be used: rename it."))
    kind = kind_of(arrival.filename)
    if kind is Kind.TEXT:
        return _take_caption(data_set, arrival, PurePosixPath(name))
    content = content_of(arrival.path)
    if content not in PLAIN and content not in CONVERTED:
        return Outcome(Status.REFUSED, _("Its content is not a picture in a known format: save it as PNG or JPEG."))
    _width, _height, problem = read_size(arrival.path)
    if problem:
        return Outcome(Status.REFUSED, _("It cannot be read as a picture: %(problem)s.") % {"problem": problem})
    take = _take_mask if kind is Kind.MASK else _take_picture
    try:
        return take(data_set, arrival, PurePosixPath(name), content)
    except UnreadablePicture as error:
        return Outcome(Status.REFUSED, _("It cannot be read as a picture: %(problem)s.") % {"problem": error})


# -- pictures ----------------------------------------------------------------------------------------------------------


def _take_picture(data_set: DataSet, arrival: Arrival, name: PurePosixPath, content: str) -> Outcome:
    source = sha256_of(arrival.path)
    if found := same_content(data_set, source):
        return _duplicate(found)
    detail = ""
    if content in CONVERTED:
        suffix = CONVERTED[content]
        original = arrival.path.read_bytes()
        arrival.path.write_bytes(converted(original, suffix))
        detail = _("Saved as %(kind)s.") % {"kind": suffix.lstrip(".").upper()}
    else:
        suffix, original = stored_suffix(name.suffix, content), b""
        detail = _remove_position(arrival.path)
    sha256 = sha256_of(arrival.path)
    with locked(data_set):
        if found := same_content(data_set, sha256):
            return _duplicate(found)
        placed = _free_name(data_set, f"{name.stem}{suffix}")
        state = PictureState(sha256, *_waiting_for(data_set, placed), source_sha256=source if source != sha256 else "")
        _record(data_set, arrival, Change(placed, None, state), {sha256: arrival.path}, _waiting_mask(data_set, placed))
        if original and arrival.keep_original:
            write_atomically(data_set.folder / ORIGINALS / f"{PurePosixPath(placed).stem}{name.suffix}", original)
    return Outcome(Status.DONE, detail, placed)


def same_content(data_set: DataSet, sha256: str) -> DataSetPicture | None:
    """The picture with this content, or that was made from it."""
    return data_set.pictures.filter(Q(sha256=sha256) | Q(source_sha256=sha256)).first()


def _duplicate(found: DataSetPicture) -> Outcome:
    return Outcome(Status.DUPLICATE, _("The set has the same picture as %(name)s.") % {"name": found.name}, found.name)


def converted(data: bytes, suffix: str) -> bytes:
    """The picture as a person sees it, as JPEG or PNG without any metadata. Raises UnreadablePicture."""
    target = io.BytesIO()
    picture = decoded(data).picture
    if suffix == ".jpg":
        picture.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        picture.save(target, "PNG")
    return target.getvalue()


def _remove_position(path: Path) -> str:
    data = path.read_bytes()
    clean = without_position(data)
    if clean is data:
        return ""
    path.write_bytes(clean)
    return _("The place where it was taken was removed.")


def _free_name(data_set: DataSet, name: str) -> str:
    """The name, or with a number behind it if a picture of this stem is in the set already."""
    path, number = PurePosixPath(name), 1
    stem = path.stem
    while any(
        PurePosixPath(one).stem.casefold() == stem.casefold()
        for one in data_set.pictures.filter(name__istartswith=f"{stem}.").values_list("name", flat=True)
    ):
        number += 1
        stem = f"{path.stem} ({number})"
    return f"{stem}{path.suffix}"


def _waiting_for(data_set: DataSet, name: str) -> tuple[str | None, str]:
    """(caption, sha256 of the mask) of files that came before their picture."""
    picture = data_set.folder / name
    text, mask = caption_of(picture), mask_of(picture)
    return (read_caption_text(text) if text.is_file() else None), (sha256_of(mask) if mask.is_file() else "")


def _waiting_mask(data_set: DataSet, name: str) -> dict[str, Path]:
    mask = mask_of(data_set.folder / name)
    return {sha256_of(mask): mask} if mask.is_file() else {}


def _record(data_set: DataSet, arrival: Arrival, change: Change, *sources: dict[str, Path]) -> None:
    files = {key: path for one in sources for key, path in one.items()}
    apply(data_set, _label(data_set, arrival, change), [change], arrival.by, sources=files, batch=arrival.batch)


def _label(data_set: DataSet, arrival: Arrival, change: Change) -> str:
    newest = data_set.versions.filter(number=data_set.version, batch=arrival.batch).first() if arrival.batch else None
    if newest is None:
        return _("Uploaded: %(name)s") % {"name": change.name}
    count = newest.changes.count() + 1
    return ngettext("%(count)s picture uploaded", "%(count)s pictures uploaded", count) % {"count": count}


# -- captions and masks ------------------------------------------------------------------------------------------------


def _take_caption(data_set: DataSet, arrival: Arrival, name: PurePosixPath) -> Outcome:
    text = read_caption_text(arrival.path)
    with locked(data_set):
        row = _picture_of(data_set, arrival, name.stem)
        if row is None:
            write_atomically(data_set.folder / f"{name.stem}.txt", arrival.path.read_bytes())
            return Outcome(Status.DONE, _("It waits for a picture of its name."), f"{name.stem}.txt")
        before = state_of(row)
        _record(data_set, arrival, Change(row.name, before, before.changed(caption=text)))
        return Outcome(Status.DONE, "", row.name)


def _take_mask(data_set: DataSet, arrival: Arrival, name: PurePosixPath, content: str) -> Outcome:
    if content != "png":
        arrival.path.write_bytes(converted(arrival.path.read_bytes(), ".png"))
    stem, sha256 = name.stem[: -len(MASK_ENDING.removesuffix(".png"))], sha256_of(arrival.path)
    with locked(data_set):
        row = _picture_of(data_set, arrival, stem)
        if row is None:
            write_atomically(data_set.folder / f"{stem}{MASK_ENDING}", arrival.path.read_bytes())
            return Outcome(Status.DONE, _("It waits for a picture of its name."), f"{stem}{MASK_ENDING}")
        before = state_of(row)
        _record(data_set, arrival, Change(row.name, before, before.changed(mask=sha256)), {sha256: arrival.path})
        return Outcome(Status.DONE, "", row.name)


def _picture_of(data_set: DataSet, arrival: Arrival, stem: str) -> DataSetPicture | None:
    """The picture that was sent under this stem together with the file, else the picture of this stem."""
    if name := arrival.placed.get(stem):
        return data_set.pictures.filter(name=name).first()
    rows = data_set.pictures.filter(name__istartswith=f"{stem}.")
    return next((row for row in rows if PurePosixPath(row.name).stem == stem), None)


def sent_stem(filename: str) -> str:
    """The stem under which a sent picture's caption and mask are looked for."""
    return PurePosixPath(flat_name(filename)).stem
