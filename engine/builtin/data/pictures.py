"""Pictures of concepts: fitting them to a size, and an index of pictures that were read before. No torch."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random

import numpy
from PIL import Image, ImageOps

from engine.builtin.config.train_config import ConceptConfig
from engine.builtin.data.buckets import Size
from engine.builtin.reading.decoding import READING, decode, decoded
from engine.builtin.reading.formats import UnreadablePicture
from engine.paths.here import read_bytes
from engine.paths.policy import Purpose

logger = logging.getLogger("engine")


@dataclass(frozen=True)
class PictureFacts:
    """Facts of a picture file: SHA-256 of its bytes, its upright width and height, and what decoding found.

    `pixels` is a digest of the decoded pixels, equal for equal pictures in different files; `losses` has the names of
    its losses in `decoding`.
    """

    digest: str
    width: int
    height: int
    pixels: str = ""
    losses: tuple[str, ...] = ()


FACTS = tuple(field.name for field in fields(PictureFacts))


@dataclass(frozen=True)
class Crop:
    """How a picture becomes a training picture: scale it to `scaled`, cut `size` out at `left`, `top`, mirror it."""

    scaled: Size
    left: int
    top: int
    size: Size
    flip: bool


def crop_for(facts: PictureFacts, size: Size, flip: bool, jitter: Random | None) -> Crop:
    """Scale the picture so that it just covers `size`, and crop the centre, or a random position with `jitter`."""
    scale = max(size[0] / facts.width, size[1] / facts.height)
    scaled = max(size[0], round(facts.width * scale)), max(size[1], round(facts.height * scale))
    spare = scaled[0] - size[0], scaled[1] - size[1]
    if jitter:
        left, top = jitter.randint(0, spare[0]), jitter.randint(0, spare[1])
    else:
        left, top = spare[0] // 2, spare[1] // 2
    return Crop(scaled, left, top, size, flip)


def pixels(picture: Image.Image, crop: Crop) -> numpy.ndarray:
    """The training picture as float32 (3, height, width) in [-1, 1]."""
    if picture.size != crop.scaled:
        picture = picture.resize(crop.scaled, Image.Resampling.LANCZOS)
    picture = picture.crop((crop.left, crop.top, crop.left + crop.size[0], crop.top + crop.size[1]))
    if crop.flip:
        picture = ImageOps.mirror(picture)
    values = numpy.asarray(picture, dtype=numpy.float32) / 127.5 - 1
    return numpy.ascontiguousarray(values.transpose(2, 0, 1))


class PictureIndex:
    """The facts of pictures that were read before, so that unchanged files are not decoded and hashed again.

    A file counts as unchanged if its path, inode, size and times are the same; the inode's change time also reveals a
    file whose modification time was set back. Entries of another READING describe other pixels, and are dropped. Kept
    as one JSON file in the cache folder; if two runs write it, the last write wins and the other run's pictures are
    only read again.
    """

    FILE_NAME = "pictures.json"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.FILE_NAME
        self.known = self._load()
        self.changed = False

    def facts(self, path: Path) -> PictureFacts:
        """The facts of one file; decodes it if it is new. Raises UnreadablePicture and OSError."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        entry = self.known.get(str(path))
        if entry and entry["stamp"] == stamp:
            kept = {name: entry[name] for name in FACTS}
            return PictureFacts(**kept | {"losses": tuple(entry["losses"])})
        facts = read_facts(path)
        self.known[str(path)] = {"stamp": stamp, "reading": READING, **asdict(facts)}
        self.changed = True
        return facts

    def save(self) -> None:
        """Write the index if it has new entries; a failure to write only costs time."""
        if not self.changed:
            return
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(self.known))
            beside.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            logger.warning("The picture index %s could not be written (%s); pictures are read again.", self.path, error)
        self.changed = False

    def _load(self) -> dict[str, dict]:
        try:
            known = json.loads(self.path.read_text())
            return {path: entry for path, entry in known.items() if entry.get("reading") == READING}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError):
            logger.warning("The picture index %s is broken; pictures are read again.", self.path)
            return {}


def read_facts(path: Path) -> PictureFacts:
    """Decode and hash one file. Raises UnreadablePicture and OSError."""
    data = read_bytes(path, Purpose.READ_PICTURES)
    result = decoded(data)
    picture = result.picture
    pixels = hashlib.blake2b(picture.tobytes(), digest_size=16, person=b"%dx%d" % picture.size).hexdigest()
    return PictureFacts(
        hashlib.sha256(data).hexdigest(), picture.width, picture.height, pixels, tuple(sorted(result.losses))
    )


def read_unchanged(path: Path, facts: PictureFacts) -> Image.Image:
    """Decode a file whose content must match the facts. Raises UnreadablePicture and OSError."""
    data = read_bytes(path, Purpose.READ_PICTURES)
    if hashlib.sha256(data).hexdigest() != facts.digest:
        raise UnreadablePicture("the file was changed during the run")
    return decode(data)


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a concept; each time that it is trained, it is paired with one of its captions.

    `mask` has the facts of the file beside it that says where it is trained, if there is one and masks are used;
    `outline` the points around its white area, (count, 2), if pictures are cut around it.
    """

    path: Path
    concept: ConceptConfig
    captions: tuple[str, ...]
    facts: PictureFacts
    mask: PictureFacts | None = None
    outline: numpy.ndarray | None = None
