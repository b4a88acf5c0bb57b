"""Reading pictures: decode, orient, fit to a size, and an index of pictures that were read before. No torch."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import threading
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.builtin.config.train_config import ConceptConfig
from engine.builtin.data.buckets import Size

logger = logging.getLogger("engine")

SUFFIXES = {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
LABEL_ENDINGS = ("-masklabel.png", "-condlabel.png")  # files of OneTrainer beside a picture, not trained on
BACKGROUND = (255, 255, 255)


class UnreadablePicture(ValueError):
    """A file is not a picture that can be decoded; the message says why."""


@dataclass(frozen=True)
class PictureFacts:
    """Facts of a picture file: SHA-256 of its bytes, and its upright width and height in pixels."""

    digest: str
    width: int
    height: int


@dataclass(frozen=True)
class Crop:
    """How a picture becomes a training picture: scale it to `scaled`, cut `size` out at `left`, `top`, mirror it."""

    scaled: Size
    left: int
    top: int
    size: Size
    flip: bool


def is_picture(path: Path) -> bool:
    """True if the file's name is that of a training picture."""
    name = path.name.lower()
    return path.suffix.lower() in SUFFIXES and not name.endswith(LABEL_ENDINGS) and not name.startswith(".")


def decode(data: bytes) -> Image.Image:
    """A file's bytes as an upright 8-bit RGB picture; transparent areas become white.

    Raises UnreadablePicture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
                return _to_rgb(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadablePicture("it has too many pixels") from error
    except UnidentifiedImageError as error:  # Pillow's own message shows an address in memory
        raise UnreadablePicture("it is not a picture in a known format") from error
    # Pillow's decoders raise many types on broken files: SyntaxError, EOFError, struct.error and more.
    except Exception as error:
        raise UnreadablePicture(str(error) or type(error).__name__) from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        return _from_16_bit(picture)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, (*BACKGROUND, 255))
        return Image.alpha_composite(canvas, layer).convert("RGB")
    return picture.convert("RGB")


def _from_16_bit(picture: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey to white instead of scaling it."""
    grey = numpy.asarray(picture).astype(numpy.float64).clip(0, 65535) / 257
    return Image.fromarray(grey.round().astype(numpy.uint8)).convert("RGB")


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
    file whose modification time was set back. Kept as one JSON file in the cache folder; if two runs write it, the last
    write wins and the other run's pictures are only read again.
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
            return PictureFacts(entry["digest"], entry["width"], entry["height"])
        facts = read_facts(path)
        self.known[str(path)] = {"stamp": stamp, **asdict(facts)}
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
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError:
            logger.warning("The picture index %s is broken; pictures are read again.", self.path)
            return {}


def read_facts(path: Path) -> PictureFacts:
    """Decode and hash one file. Raises UnreadablePicture and OSError."""
    data = path.read_bytes()
    return PictureFacts(hashlib.sha256(data).hexdigest(), *decode(data).size)


def read_unchanged(path: Path, facts: PictureFacts) -> Image.Image:
    """Decode a file whose content must match the facts. Raises UnreadablePicture and OSError."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != facts.digest:
        raise UnreadablePicture("the file was changed during the run")
    return decode(data)


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a concept; each time that it is trained, it is paired with one of its captions.

    `mask` has the facts of the file beside it that says where it is trained, if there is one and masks are used.
    """

    path: Path
    concept: ConceptConfig
    captions: tuple[str, ...]
    facts: PictureFacts
    mask: PictureFacts | None = None
