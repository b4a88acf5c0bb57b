"""Colours that a file describes by numbers instead of a profile: cICP, gAMA and cHRM of PNG, nclx of HEIC and AVIF.

The numbers are those of ITU-T H.273. The description becomes an ICC profile, so that a single conversion is enough.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy
from numpy.typing import NDArray

from engine.builtin.reading.headers import PNG, png_chunks

Values = NDArray[numpy.float64]
Points = tuple[float, ...]  # x and y of white, red, green, blue
STEPS = 255 * 16 + 1  # of a curve: each value of 8 bits is one of its points
PAPER_WHITE = 203.0  # nits, which HDR pictures give to white paper: ITU-R BT.2408
D65 = (0.3127, 0.329)
SRGB: Points = (*D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
PRIMARIES: dict[int, Points] = {
    1: SRGB,
    2: SRGB,  # not specified
    4: (0.31, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    8: (0.31, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    22: (*D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
LIKE_SRGB = (1, 2, 6, 7, 11, 12, 13, 14, 15)  # curves of video are shown as sRGB's by all viewers of pictures
HDR = (16, 18)
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
USUAL_GAMMA = (0.44, 0.47)  # 1 / 2.2, which programs write for sRGB
D50 = (0.9642, 1.0, 0.8249)  # the white of all profiles
BRADFORD = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class ColorTags:
    """Where white, red, green and blue are (CIE x and y), and the curve: a number of H.273, or a gamma."""

    points: Points = SRGB
    transfer: int = 13
    gamma: float = 0.0

    @property
    def is_hdr(self) -> bool:
        return not self.gamma and self.transfer in HDR


def color_tags(data: bytes) -> tuple[ColorTags | None, bool]:
    """The description in a PNG, HEIC or AVIF file, and whether it counts before an embedded profile.

    A description that no viewer understands counts as none.
    """
    if data.startswith(PNG):
        return _of_png(data)
    return (_of_boxes(data), False) if data[4:8] == b"ftyp" else (None, False)


@lru_cache(maxsize=64)
def profile_of(tags: ColorTags, mode: str) -> bytes:
    """An ICC profile (version 2) of these colours for a picture of mode RGB or L."""
    curve = _curve(tags)
    if mode == "L":
        return _icc(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": curve})
    red, green, blue = _columns(tags.points)
    colors = {b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue)}
    return _icc(b"RGB ", {b"wtpt": _xyz(D50), **colors, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def _of_png(data: bytes) -> tuple[ColorTags | None, bool]:
    """PNG's third edition, section 4.3: cICP counts before a profile, which counts before sRGB, gAMA and cHRM."""
    found: dict[bytes, bytes] = {}
    for kind, position, size in png_chunks(io.BytesIO(data)):
        if kind == b"IDAT":
            break
        found.setdefault(kind, data[position + 8 : position + size - 4])
    if len(cicp := found.get(b"cICP", b"")) == 4 and (tags := _by_numbers(cicp[0], cicp[1])):
        return tags, True
    if b"sRGB" in found or not found.keys() & {b"gAMA", b"cHRM"}:
        return None, False
    points, gamma = SRGB, 0.0
    if len(chrm := found.get(b"cHRM", b"")) == 32:
        points = tuple(value / 100_000 for value in struct.unpack(">8I", chrm))
    if len(gama := found.get(b"gAMA", b"")) == 4:
        gamma = struct.unpack(">I", gama)[0] / 100_000
    gamma = 0.0 if not 0.01 < gamma < 100 or USUAL_GAMMA[0] <= gamma <= USUAL_GAMMA[1] else 1 / gamma
    return (ColorTags(points, gamma=gamma) if _make_sense(points) else None), False


def _of_boxes(data: bytes) -> ColorTags | None:
    """The first nclx of a file in boxes (ISO/IEC 14496-12 and 23008-12)."""
    for place in _boxes(data, 0, len(data), (b"meta", b"iprp", b"ipco", b"colr")):
        if data[place : place + 4] == b"nclx" and len(data) >= place + 10:
            primaries, transfer = struct.unpack(">HH", data[place + 4 : place + 8])
            return _by_numbers(primaries, transfer)
    return None


def _boxes(data: bytes, start: int, end: int, path: tuple[bytes, ...]) -> Iterator[int]:
    """The places of the contents of all boxes on a path of kinds."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        content = start + 8
        if size == 1:  # the true size follows
            size, content = int.from_bytes(data[content : content + 8], "big"), content + 8
        last = min(start + size, end) if size else end
        if last < content:
            return
        if kind == path[0]:
            inner = content + (4 if kind == b"meta" else 0)  # its version and flags
            yield from _boxes(data, inner, last, path[1:]) if path[1:] else (inner,)
        start = last


def _by_numbers(primaries: int, transfer: int) -> ColorTags | None:
    known = transfer in LIKE_SRGB or transfer in HDR or transfer in GAMMAS
    return ColorTags(PRIMARIES[primaries], transfer) if primaries in PRIMARIES and known else None


def _make_sense(points: Points) -> bool:
    """Colours that are no triangle around a white point have no conversion."""
    if any(not 0 < y <= 1 or not 0 <= x <= 1 for x, y in zip(points[::2], points[1::2], strict=True)):
        return False
    colors = numpy.array([_light(*points[2 * number : 2 * number + 2]) for number in (1, 2, 3)]).T
    if abs(numpy.linalg.det(colors)) < 1e-4:
        return False
    return bool((numpy.linalg.solve(colors, _light(*points[:2])) > 0).all())


def _light(x: float, y: float) -> Values:
    """A colour of brightness 1, as X, Y, Z."""
    return numpy.array([x / y, 1.0, (1 - x - y) / y])


def _columns(points: Points) -> Values:
    """X, Y, Z of red, green and blue, adapted to the profiles' white by the method of Bradford: (3, 3)."""
    white = _light(*points[:2])
    colors = numpy.array([_light(*points[2 * number : 2 * number + 2]) for number in (1, 2, 3)]).T
    colors = colors * numpy.linalg.solve(colors, white)
    scale = numpy.diag((BRADFORD @ numpy.array(D50)) / (BRADFORD @ white))
    return (numpy.linalg.inv(BRADFORD) @ scale @ BRADFORD @ colors).T


def _curve(tags: ColorTags) -> bytes:
    light = numpy.clip(_to_light(tags)(numpy.linspace(0, 1, STEPS)), 0, 1)
    values = (light * 65535).round().astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", STEPS) + values


def _to_light(tags: ColorTags) -> Callable[[Values], Values]:
    if gamma := tags.gamma or GAMMAS.get(tags.transfer):
        return lambda values: values**gamma
    return {16: _perceptual, 18: _hybrid}.get(tags.transfer, _srgb)


def _srgb(values: Values) -> Values:
    """IEC 61966-2-1."""
    return numpy.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _perceptual(values: Values) -> Values:
    """SMPTE ST 2084 (PQ), with paper's white as 1."""
    root = values ** (1 / 78.84375)
    light = (numpy.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return light * 10_000 / PAPER_WHITE


def _hybrid(values: Values) -> Values:
    """ITU-R BT.2100 (HLG) on a screen of 1,000 nits, with paper's white as 1."""
    bright = (numpy.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12
    light = numpy.where(values <= 0.5, values**2 / 3, bright)
    return light**1.2 * 1_000 / PAPER_WHITE


def _xyz(values: tuple[float, ...] | Values) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of tags (ICC.1:2001-04, section 6); tags with the same content share it."""
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 1) + bytes(79), **tags}
    places: dict[bytes, int] = {}
    start, body = 128 + 4 + 12 * len(tags), b""
    for content in tags.values():
        if content not in places:
            places[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
    table = b"".join(struct.pack(">4sII", name, places[content], len(content)) for name, content in tags.items())
    head = bytes(8) + struct.pack(">I4s4s4s", 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    head = head.ljust(64, b"\0") + struct.pack(">I", 1) + _xyz(D50)[8:]
    content = head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(content)) + content[4:]
