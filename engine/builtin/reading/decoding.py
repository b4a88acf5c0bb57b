"""Decoding: a file's bytes as the 8-bit RGB picture that a person sees. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.builtin.reading.color_tags import color_tags, profile_of
from engine.builtin.reading.colors import BrokenProfile, to_srgb
from engine.builtin.reading.formats import UnreadablePicture, opened_picture

READING = 3  # raise it when a change here changes pixels: the index then decodes every picture again
BACKGROUND = (255, 255, 255)
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # a tag of TIFF, and its value for grey that is stored inverted
CUT_OFF = ("truncated", "Truncated", "end of file", "unexpected end", "not enough", "broken data stream")

# What decoding changed, for a note to the user.
TRANSPARENT, FRAMES, DEPTH, PROFILE, COLORS = "transparent", "frames", "depth", "profile", "colors"
LIGHT = "light"


@dataclass
class Decoded:
    """An upright picture of mode RGB in sRGB, and the names of what it lost."""

    picture: Image.Image
    losses: set[str] = field(default_factory=set)


def decode(data: bytes) -> Image.Image:
    """A file's bytes as an upright 8-bit RGB picture in sRGB; transparent areas become white.

    Raises UnreadablePicture.
    """
    return decoded(data).picture


def decoded(data: bytes, at_least: int = 0) -> Decoded:
    """Decode a file, and report what it lost; with `at_least`, a JPEG may be decoded smaller, to sides of this length.

    Raises UnreadablePicture.
    """
    if not data:
        raise UnreadablePicture("the file is empty")
    try:
        with opened_picture(data) as picture:
            result = Decoded(picture)
            _note_frames(result)
            _note_depth(result)
            if at_least:
                picture.draft(None, (at_least, at_least))
            picture.load()
            result.picture = _upright(picture)
            _to_8_bit(result, picture)
            _to_rgb(result, data)
            return result
    except UnreadablePicture:
        raise
    except UnidentifiedImageError as error:  # Pillow's own message shows an address in memory
        raise UnreadablePicture("it is not a picture in a known format") from error
    except MemoryError as error:
        raise UnreadablePicture("it does not fit into the main memory") from error
    # Decoders raise many types on broken files (SyntaxError, EOFError, struct.error), and their words say little.
    except Exception as error:
        is_short = isinstance(error, EOFError) or any(words in str(error) for words in CUT_OFF)
        raise UnreadablePicture("the end of the file is missing" if is_short else "the file is damaged") from error


def _note_frames(result: Decoded) -> None:
    if getattr(result.picture, "is_animated", False) and result.picture.format != "MPO":  # MPO: views of one scene
        result.losses.add(FRAMES)


def _note_depth(result: Decoded) -> None:
    """Note colours of 16 bits, which Pillow itself decodes to 8 bits."""
    if any(";16" in str(tile) for tile in getattr(result.picture, "tile", ())):
        result.losses.add(DEPTH)


def _upright(picture: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says; JPEG XL's decoder has turned it already."""
    if picture.format == "JXL" and not getattr(picture, "jpeg", False):
        return picture
    return ImageOps.exif_transpose(picture)


def _to_8_bit(result: Decoded, source: Image.Image) -> None:
    """Scale grey of more than 8 bits to 8 bits, where Pillow would clip it. Raises UnreadablePicture."""
    picture = result.picture
    if picture.mode.startswith("I;16"):
        values = numpy.asarray(picture).astype(numpy.float32) / 257
        result.losses.add(DEPTH)
        if source.format == "TIFF" and _is_inverted(source):
            values = 255 - values
    elif picture.mode == "F":
        values = numpy.asarray(picture) * 255.0
        if not (values.min() >= 0 and values.max() <= 255):  # also false for NaN
            raise UnreadablePicture("its floating-point values are not between 0 and 1; save it with 8 or 16 bits")
        result.losses.add(DEPTH)
    elif picture.mode == "I":
        raise UnreadablePicture("its grey values have 32 bits; save it with 8 or 16 bits")
    else:
        return
    clear = picture.info.get("transparency")
    grey = Image.fromarray(values.round().astype(numpy.uint8))
    grey.info = {key: value for key, value in picture.info.items() if key != "transparency"}
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(numpy.where(numpy.asarray(picture) == clear, 0, 255).astype(numpy.uint8)))
    result.picture = grey


def _is_inverted(source: Image.Image) -> bool:
    tags = getattr(source, "tag_v2", {})
    return tags.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _to_rgb(result: Decoded, data: bytes) -> None:
    """Convert to opaque RGB: colours by their description, then transparent areas onto the background."""
    picture = result.picture
    alpha = _alpha(picture)
    plain = _plain(picture, alpha is not None)
    colors = plain.convert("RGB")
    try:
        profile = _profile(result, plain.mode, picture.info.get("icc_profile"), data)
        if profile and (converted := to_srgb(plain, profile)):
            colors = converted
            result.losses.add(COLORS)
    except BrokenProfile:
        result.losses.add(PROFILE)
    if alpha is not None and numpy.asarray(alpha).min() < 255:
        result.losses.add(TRANSPARENT)
        colors = Image.composite(colors, Image.new("RGB", colors.size, BACKGROUND), alpha)
    result.picture = colors


def _profile(result: Decoded, mode: str, embedded: bytes | None, data: bytes) -> bytes | None:
    """The profile of a picture's colours: that of its file, or one of the numbers that describe them instead."""
    tags, counts_first = color_tags(data)
    if tags is None or mode not in ("RGB", "L") or (embedded and not counts_first):
        return embedded
    if tags.is_hdr:
        result.losses.add(LIGHT)
    return profile_of(tags, mode)


def _alpha(picture: Image.Image) -> Image.Image | None:
    if picture.mode in ("RGBA", "LA", "PA"):
        return picture.getchannel("A")
    if picture.mode in ("La", "RGBa") or "transparency" in picture.info:
        return _layered(picture).getchannel("A")
    return None


def _layered(picture: Image.Image) -> Image.Image:
    """The picture as RGBA; a colour that stands for transparency may be written with 16 bits."""
    clear = picture.info.get("transparency")
    if picture.mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:
        picture = picture.copy()
        picture.info["transparency"] = tuple(value >> 8 for value in clear)
    return picture.convert("RGBA")


def _plain(picture: Image.Image, has_alpha: bool) -> Image.Image:
    """The picture without transparency, in a mode that its profile may be for."""
    if picture.mode in ("L", "CMYK") or (picture.mode == "RGB" and not has_alpha):
        return picture
    if picture.mode in ("LA", "La", "1"):
        return (picture.convert("LA") if picture.mode == "La" else picture).convert("L")
    if picture.mode in ("P", "PA", "RGBA", "RGBa", "RGB"):
        return _layered(picture).convert("RGB")
    return picture.convert("RGB")
