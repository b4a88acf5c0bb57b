"""Changes that a shell or another program made in a data set's folder: noticed by size and time, taken in as a version.

A content that the folder's files had before is gone then: undo takes back what it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.builtin.reading.captions import Captions
from engine.builtin.reading.scan import BUILTIN, scan
from engine.paths.policy import Purpose
from presets.datasets.files import (
    EXCLUDED,
    PictureState,
    locked,
    mask_of,
    read_caption_text,
    sha256_of,
)
from presets.datasets.versions import BATCH_ROWS, Change, record, state_of
from presets.models import DataSet, DataSetPicture, DataSetVersion
from presets.models_datasets import is_set_name
from web.errors import NotFound
from web.paths.site import refusal

MOST_AT_ONCE = 200  # files that a page reads itself; a worker reads more
MOST_BYTES_AT_ONCE = 50_000_000
MOST_PICTURES = 200_000


@dataclass(frozen=True)
class Found:
    """A picture in the folder: its path, and the file of its caption, if there is one."""

    path: Path
    caption: Path | None
    captions: Captions
    excluded: bool = False


def adopt_folders() -> None:
    """Make each folder that a shell put beside the site's own data sets a data set too."""
    known = set(DataSet.objects.present().filter(path="").values_list("name", flat=True))
    root = Path(settings.DATA_DIR) / "datasets"
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name not in known and folder.is_dir() and not folder.is_symlink() and is_set_name(folder.name):
            with suppress(IntegrityError), transaction.atomic():  # another process adopts it at the same time
                DataSet.objects.create(name=folder.name)


def pending(data_set: DataSet) -> tuple[int, int]:
    """(files that changed in the folder, their bytes); no file is opened. Raises NotFound."""
    found, rows = _listed(data_set), {row.name: row for row in data_set.pictures.all()}
    changed = [one for name, one in found.items() if name not in rows or not _is_same(rows[name], one)]
    size = sum(_size(one.path) for one in changed)
    return len(changed) + sum(name not in found for name in rows), size


def look(data_set: DataSet) -> int:
    """Take in a few changes at once; the number of changes if they are too many for that. Raises NotFound."""
    count, size = pending(data_set)
    if not count:
        return 0
    if count > MOST_AT_ONCE or size > MOST_BYTES_AT_ONCE:
        return count
    rescan(data_set)
    return 0


def rescan(data_set: DataSet, beat: Callable[[int, int], object] = lambda done, total: None) -> DataSetVersion | None:
    """Read the changed files and record the changes as a version. Raises NotFound."""
    with locked(data_set):
        found, rows = _listed(data_set), {row.name: row for row in data_set.pictures.all()}
        gone = [Change(name, state_of(row), None) for name, row in rows.items() if name not in found]
        changed = {name: one for name, one in found.items() if name not in rows or not _is_same(rows[name], one)}
        changes = [change for change in (*gone, *_read(changed, rows, beat)) if change.before != change.after]
        version = record(data_set, _label(changes), changes, None) if changes else None
        _note_times(data_set, changed)
        return version


def _read(
    changed: dict[str, Found], rows: dict[str, DataSetPicture], beat: Callable[[int, int], object]
) -> Iterator[Change]:
    for number, (name, one) in enumerate(changed.items(), start=1):
        row = rows.get(name)
        with suppress(FileNotFoundError):  # it was removed at this moment: the next look notices
            yield Change(name, state_of(row) if row else None, _state(one, row))
        beat(number, len(changed))


def _label(changes: list[Change]) -> str:
    added = sum(change.before is None for change in changes)
    removed = sum(change.after is None for change in changes)
    parts = [
        (added, ngettext("%(count)s new picture", "%(count)s new pictures", added)),
        (removed, ngettext("%(count)s picture removed", "%(count)s pictures removed", removed)),
        (
            len(changes) - added - removed,
            ngettext("%(count)s picture changed", "%(count)s pictures changed", len(changes) - added - removed),
        ),
    ]
    listed = ", ".join(text % {"count": count} for count, text in parts if count)
    return _("Found in the folder: %(listed)s") % {"listed": listed}


def _listed(data_set: DataSet) -> dict[str, Found]:
    folder = data_set.folder
    if not data_set.is_reference:
        folder.mkdir(parents=True, exist_ok=True)
    if sentence := refusal(str(folder), Purpose.READ_PICTURES):
        raise NotFound(sentence)
    found = _within(folder, excluded=False)
    if (folder / EXCLUDED).is_dir() and not (folder / EXCLUDED).is_symlink():
        for name, one in _within(folder / EXCLUDED, excluded=True).items():
            found.setdefault(name, one)
    return found


def _within(folder: Path, excluded: bool) -> dict[str, Found]:
    try:
        files = scan(
            folder,
            subfolders=True,
            may_follow=lambda path: refusal(path, Purpose.READ_PICTURES) is None,
            keep_going=lambda files: files < 3 * MOST_PICTURES,
        )
    except OSError as error:
        sentence = _("The folder %(folder)s cannot be read (%(error)s): check that it is there.")
        raise NotFound(sentence % {"folder": folder, "error": error.strerror}) from error
    captions = Captions(files, BUILTIN)
    return {
        picture.relative_to(folder).as_posix(): Found(picture, captions.file_of(picture), captions, excluded)
        for picture in files.pictures
        if len(picture.relative_to(folder).as_posix()) <= 255
    }


def _is_same(row: DataSetPicture, found: Found) -> bool:
    try:
        facts = found.path.stat()
    except OSError:
        return False
    return (
        row.excluded == found.excluded
        and (row.changed_ns, row.size) == (facts.st_mtime_ns, facts.st_size)
        and row.caption_ns == _time(found.caption)
        and row.mask_ns == _time(mask_of(found.path))
    )


def _time(path: Path | None) -> int:
    """The time of change in ns, 0 without a file."""
    try:
        return path.stat().st_mtime_ns if path else 0
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _state(found: Found, row: DataSetPicture | None) -> PictureState:
    """Read the picture's files, except those that did not change. Raises FileNotFoundError."""
    sha256, mask = _content(found.path), ""
    if (file := mask_of(found.path)).is_file():
        mask = _content(file)
    caption = None
    if found.caption:
        caption = _caption(found)
    source = row.source_sha256 if row and row.sha256 == sha256 else ""
    return PictureState(sha256, caption, mask, found.excluded, source)


def _content(path: Path) -> str:
    """The sha256, or of a file that may not be read a name that no content has."""
    try:
        return sha256_of(path)
    except FileNotFoundError:
        raise
    except OSError:
        return "0" * 64


def _caption(found: Found) -> str | None:
    """The text of its caption file, or its captions in another trainer's file, one on each line."""
    try:
        if found.caption and found.caption.suffix.lower() in (".txt", ".caption"):
            return read_caption_text(found.caption)
        return "\n".join(found.captions.of(found.path).captions)
    except OSError:
        return None


def _note_times(data_set: DataSet, found: dict[str, Found]) -> None:
    """Note the times of the files that were read, also where only the time is new, so that they are not read again."""
    names = list(found)
    for start in range(0, len(names), BATCH_ROWS):
        rows = list(data_set.pictures.filter(name__in=names[start : start + BATCH_ROWS]))
        for row in rows:
            one = found[row.name]
            row.changed_ns, row.mask_ns = _time(one.path), _time(mask_of(one.path))
            row.caption_ns = _time(one.caption)
        DataSetPicture.objects.bulk_update(rows, ["changed_ns", "mask_ns", "caption_ns"], batch_size=100)
