"""The files of a data set on the disk: a picture, its caption `.txt` and its mask `-masklabel.png` beside it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.reading.formats import UnreadablePicture, upright_size
from engine.builtin.reading.texts import NotText, decode_text
from engine.interface.json_types import JsonObject
from engine.paths import here
from engine.paths.policy import Purpose
from presets.models import DataSet
from web.errors import NotNow

EXCLUDED = ".excluded"  # hidden, so that no trainer reads it
ORIGINALS = ".originals"
MASK_ENDING = "-masklabel.png"
CHUNK = 1024 * 1024
MOST_CAPTION_BYTES = 1024**2
LONGEST_PROBLEM = 300


@dataclass(frozen=True)
class PictureState:
    """What a version says of a picture: contents by their sha256, and the text of its caption, None without a file."""

    sha256: str
    caption: str | None = None
    mask: str = ""
    excluded: bool = False
    source_sha256: str = ""

    def to_dict(self) -> JsonObject:
        return asdict(self)

    @classmethod
    def of(cls, facts: JsonObject | None) -> PictureState | None:
        return cls(**facts) if facts is not None else None

    def changed(self, **facts: object) -> PictureState:
        return replace(self, **facts)  # type: ignore[arg-type]


@contextmanager
def locked(data_set: DataSet) -> Iterator[DataSet]:
    """The newest row of the data set, while no other process changes its files."""
    folder = Path(settings.DATA_DIR) / "kept"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{data_set.pk}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        data_set.refresh_from_db()
        yield data_set


# -- paths -------------------------------------------------------------------------------------------------------------


def path_of(data_set: DataSet, name: str, excluded: bool = False) -> Path:
    return data_set.folder / EXCLUDED / name if excluded else data_set.folder / name


def caption_of(picture: Path) -> Path:
    return picture.with_suffix(".txt")


def mask_of(picture: Path) -> Path:
    return picture.with_name(f"{picture.stem}{MASK_ENDING}")


# -- reading -----------------------------------------------------------------------------------------------------------


def sha256_of(path: Path) -> str:
    """Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_size(path: Path) -> tuple[int, int, str]:
    """(width, height, why the picture cannot be read) from the file's header; nothing is decoded. Raises OSError."""
    try:
        with here.opened(path, Purpose.READ_PICTURES) as file:
            width, height = upright_size(file)
    except UnreadablePicture as error:
        return 0, 0, str(error)[:LONGEST_PROBLEM]
    except OSError as error:
        if error.errno is not None:
            raise
        return 0, 0, _("the file is not a picture in a known format")
    # Decoders raise any exception on broken headers: SyntaxError, EOFError, struct.error and more.
    except Exception:  # noqa: BLE001
        return 0, 0, _("the file is damaged")
    return (width, height, "") if width and height else (0, 0, _("the file is not a picture in a known format"))


def read_caption_text(path: Path) -> str:
    """The text of a caption file; bytes that are no text are shown as replacement characters. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(MOST_CAPTION_BYTES)
    try:
        return decode_text(data)[0].strip("\n").replace("\x00", "")
    except NotText:
        return data.decode("utf-8", "replace").replace("\x00", "")


# -- writing -----------------------------------------------------------------------------------------------------------


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file and rename it, so that no trainer reads half of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


class Mover:
    """Moves files between the folder of a data set and the folder of kept files, by their contents."""

    def __init__(self, data_set: DataSet, sources: dict[str, Path] | None = None) -> None:
        self.data_set = data_set
        self.sources = sources or {}  # files of new contents by sha256; they are moved away
        self.passing: Counter[str] = Counter()  # contents that are taken out and put in again: no copy of them stays

    def take_out(self, name: str, state: PictureState) -> None:
        """Move the picture's files to the kept files; its caption is in the version."""
        picture = path_of(self.data_set, name, state.excluded)
        self._keep(picture, state.sha256)
        if state.mask:
            self._keep(mask_of(picture), state.mask)
        caption_of(picture).unlink(missing_ok=True)

    def put_in(self, name: str, state: PictureState) -> None:
        """Write the picture's files. Raises NotNow if a content is not kept any more."""
        picture = path_of(self.data_set, name, state.excluded)
        picture.parent.mkdir(parents=True, exist_ok=True)
        self._place(state.sha256, picture)
        if state.mask:
            self._place(state.mask, mask_of(picture))
        self.write_caption(name, state)

    def write_caption(self, name: str, state: PictureState) -> None:
        file = caption_of(path_of(self.data_set, name, state.excluded))
        if state.caption is None:
            file.unlink(missing_ok=True)
        else:
            write_atomically(file, f"{state.caption}\n".encode() if state.caption else b"")

    def change_mask(self, name: str, before: PictureState, after: PictureState) -> None:
        mask = mask_of(path_of(self.data_set, name, after.excluded))
        if before.mask:
            self._keep(mask, before.mask)
        if after.mask:
            self._place(after.mask, mask)

    def needs(self, name: str, state: PictureState, leaving: Container[str]) -> str:
        """A sentence if a content that `put_in` needs is neither new, nor kept, nor among the leaving ones."""
        contents = [state.sha256, *([state.mask] if state.mask else [])]
        if all(one in self.sources or one in leaving or (self.data_set.kept / one).is_file() for one in contents):
            return ""
        return _("%(name)s was removed or changed in the folder itself, so its earlier content was not kept.") % {
            "name": name
        }

    def _keep(self, path: Path, sha256: str) -> None:
        self.data_set.kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.move(path, self.data_set.kept / sha256)

    def _place(self, sha256: str, path: Path) -> None:
        source = self.sources.get(sha256) or self.data_set.kept / sha256
        beside = path.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            if sha256 in self.sources:
                shutil.move(source, beside)
                self.sources.pop(sha256)
            elif self.passing[sha256] == 1:
                shutil.move(source, beside)
            else:
                shutil.copyfile(source, beside)
            self.passing[sha256] -= 1
            beside.chmod(0o644)
            beside.replace(path)
        except FileNotFoundError as error:
            sentence = _("%(name)s is not kept any more: upload it again.") % {"name": path.name}
            raise NotNow(sentence) from error
        finally:
            beside.unlink(missing_ok=True)


def stem_of(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
