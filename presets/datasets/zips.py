"""A zip file unpacked into a data set: each member is taken in or refused by itself, and the rest goes in."""

from __future__ import annotations

import stat
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from presets.datasets.intake import Arrival, Outcome, Status, sent_stem, take_in
from presets.datasets.kinds import Kind, kind_of, why_refused
from presets.datasets.names import is_clutter, leads_outside
from presets.datasets.space import free_bytes
from presets.models import DataSet, DataSetUpload
from web.errors import BadInput

MOST_MEMBERS = 200_000
MOST_RATIO = 300  # a bitmap of one colour is packed to a hundredth, a zip bomb to a thousandth
ALWAYS_BYTES = 1_000_000  # that any member may have, whatever its ratio is
CHUNK = 1024 * 1024
MOST_LISTED = 500


@dataclass
class Unpacked:
    """What became of a zip file's members."""

    done: int = 0
    duplicates: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)

    def add(self, member: str, outcome: Outcome) -> None:
        if outcome.status == Status.DONE:
            self.done += 1
        elif outcome.status == Status.DUPLICATE:
            self.duplicates += 1
        elif len(self.refused) < MOST_LISTED:
            self.refused.append({"name": member[:200], "detail": outcome.detail})


def unpack(
    data_set: DataSet, upload: DataSetUpload, beat: Callable[[int, int], object] = lambda done, total: None
) -> Unpacked:
    """Take in the members of the received file. Raises BadInput if it is not a readable zip file."""
    result = Unpacked()
    try:
        with zipfile.ZipFile(upload.part) as archive:
            members = _members(archive, upload.part.stat().st_size)
            placed: dict[str, str] = {}
            top = _common_folder(members)
            for number, member in enumerate(_in_order(members), start=1):
                outcome = _take(data_set, upload, archive, member, top, placed)
                result.add(member.filename, outcome)
                beat(number, len(members))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise BadInput(_("It is not a readable zip file (%(error)s): pack it again.") % {"error": error}) from error
    return result


def _members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    members = [one for one in archive.infolist() if not one.is_dir() and not is_clutter(one.filename)]
    if len(members) > MOST_MEMBERS:
        sentence = _("It has %(count)s files, and at most %(most)s are taken at once: pack several zip files.")
        raise BadInput(sentence % {"count": len(members), "most": MOST_MEMBERS})
    if sum(one.compress_size for one in members) > size:
        raise BadInput(_("Its files overlap, as in a zip bomb: pack it again."))
    return members


def _in_order(members: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
    """Pictures first, so that captions and masks find them."""
    yield from sorted(members, key=lambda one: (kind_of(one.filename) is not Kind.PICTURE, one.filename))


def _common_folder(members: list[zipfile.ZipInfo]) -> str:
    """The one folder that holds everything, as most programs pack it, or empty."""
    tops = {one.filename.replace("\\", "/").partition("/")[::2] for one in members}
    first = {top for top, _rest in tops}
    return f"{first.pop()}/" if len(first) == 1 and all(rest for _top, rest in tops) else ""


def _take(
    data_set: DataSet,
    upload: DataSetUpload,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    top: str,
    placed: dict[str, str],
) -> Outcome:
    name = member.filename.replace("\\", "/").removeprefix(top)
    if reason := _why_refused(member, name):
        return Outcome(Status.REFUSED, reason)
    part = Path(settings.DATA_DIR) / "uploads" / uuid.uuid4().hex
    try:
        _extract(archive, member, part)
        arrival = Arrival(part, name, upload.user, str(upload.pk), upload.keep_original, placed)
        outcome = take_in(data_set, arrival)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError, OSError) as error:
        return Outcome(Status.REFUSED, _("It cannot be unpacked (%(error)s).") % {"error": str(error)[:200]})
    finally:
        part.unlink(missing_ok=True)
    if outcome.name and kind_of(name) is Kind.PICTURE:
        placed[sent_stem(name)] = outcome.name
    return outcome


def _why_refused(member: zipfile.ZipInfo, name: str) -> str:
    if leads_outside(member.filename):
        return _("Its path leads outside of the zip file.")
    if stat.S_ISLNK(member.external_attr >> 16):
        return _("It is a link: pack the file itself.")
    if member.flag_bits & 1:
        return _("It is encrypted: pack it without a password.")
    if kind_of(name) is Kind.ARCHIVE:
        return _("It is a zip file within a zip file: send it by itself.")
    if member.file_size > MOST_RATIO * max(1, member.compress_size) + ALWAYS_BYTES:
        return _("It is packed more tightly than any picture, as a zip bomb is.")
    if member.file_size > free_bytes():
        return _("The disk has no space for it: free some space.")
    return why_refused(name, member.file_size)


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, part: Path) -> None:
    """Write the member's content; the table's sizes may be false, so at most the size that was checked is written."""
    left = member.file_size
    with archive.open(member) as packed, part.open("wb") as file:
        while piece := packed.read(CHUNK):
            left -= len(piece)
            if left < 0:
                raise ValueError(_("it is larger than the zip file's table says"))
            file.write(piece)
