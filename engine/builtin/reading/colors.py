"""Colours as a person sees them: a picture's embedded colour profile converted to sRGB. No torch."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageCms

SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}  # the profiles that fit a picture's mode
SAME = 1  # steps of 255: a profile whose result differs less from sRGB is sRGB under another name


class BrokenProfile(ValueError):
    """A colour profile cannot be used with its picture."""


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """An opaque picture of a mode of SPACES, converted from its profile to sRGB, as mode RGB; None if it is sRGB.

    Raises BrokenProfile.
    """
    transform = _transform(profile, picture.mode)
    return None if transform is None else ImageCms.applyTransform(picture, transform) or picture


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion, or None if it would change nothing. Raises BrokenProfile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[mode]:
            raise BrokenProfile("its colour profile is for pictures of another kind")
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise BrokenProfile("its colour profile is broken") from error
    return None if mode != "CMYK" and _changes_nothing(transform, mode) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Most pictures carry sRGB's own profile: converting those costs time and rounds some colours."""
    steps = range(0, 256, 51)
    if mode == "L":
        probe = Image.frombytes("L", (256, 1), bytes(range(256)))
    else:
        probe = Image.new("RGB", (len(steps) ** 3, 1))
        probe.putdata([(red, green, blue) for red in steps for green in steps for blue in steps])
    result = ImageCms.applyTransform(probe, transform) or probe
    before = probe.convert("RGB").tobytes()
    return all(abs(a - b) <= SAME for a, b in zip(before, result.tobytes(), strict=True))
