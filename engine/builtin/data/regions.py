"""The part of a picture around its mask, turned and framed at random, that is trained in place of the whole. No torch.

The numbers are OneTrainer's: up to 20 degrees to either side, a frame that takes 10 to 30 % of the width and height,
and no part smaller than the smallest training resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy
from PIL import Image

LARGEST_ANGLE = 20.0
FRAME = (0.1, 0.3)  # the least and the most that the frame takes of the part's width and height

Points = numpy.ndarray  # (count, 2): x and y in pixels
Span = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """Turn the picture by `angle` degrees, counter-clockwise around `centre`, then cut `box` out (left, top, right,
    bottom).
    """

    angle: float
    centre: tuple[float, float]
    box: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def cut_out(self, image: Image.Image) -> Image.Image:
        """The part of a picture or mask; what the turn brings in from outside is black."""
        return image.rotate(self.angle, Image.Resampling.BILINEAR, center=self.centre).crop(self.box)


def outline(mask: numpy.ndarray) -> Points:
    """The first and last white place of each row of a mask (height, width); the corners if there is none."""
    white = mask > 0.5
    rows = numpy.flatnonzero(white.any(axis=1))
    height, width = mask.shape
    if not len(rows):
        return outline_of_all(width, height)
    first = white[rows].argmax(axis=1)
    last = width - 1 - white[rows][:, ::-1].argmax(axis=1)
    return numpy.concatenate([numpy.stack([first, rows], axis=1), numpy.stack([last, rows], axis=1)])


def outline_of_all(width: int, height: int) -> Points:
    return numpy.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])


def draw_region(points: Points, width: int, height: int, smallest: int, random: Random) -> Region:
    """A random part around a mask's outline in a picture of this size; its area is at least `smallest` squared."""
    centre = (float(points[:, 0].min() + points[:, 0].max()) / 2, float(points[:, 1].min() + points[:, 1].max()) / 2)
    angle = random.uniform(-LARGEST_ANGLE, LARGEST_ANGLE)
    turned = _turned(points, centre, angle)
    x, y = _span(turned[:, 0], width), _span(turned[:, 1], height)
    y, x = _framed(y, random), _framed(x, random)
    grown = math.sqrt(smallest**2 / max(1.0, (x[1] - x[0]) * (y[1] - y[0]))) - 1
    if grown > 0:  # to both sides, so that it grows more than needed, as in OneTrainer
        x, y = (_grown(span, grown * (span[1] - span[0])) for span in (x, y))
    (left, right), (top, bottom) = _within(x, width), _within(y, height)
    return Region(angle, centre, (left, top, right, bottom))


def _turned(points: Points, centre: tuple[float, float], angle: float) -> Points:
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    return (points - centre) @ numpy.array([[cosine, -sine], [sine, cosine]]) + centre


def _span(values: numpy.ndarray, limit: int) -> Span:
    """The least and the greatest place, within the picture."""
    return max(0.0, float(values.min())), min(limit - 1.0, float(values.max()))


def _framed(span: Span, random: Random) -> Span:
    """The span with a random frame on each side."""
    length = span[1] - span[0]
    least, most = (length / (1 - part) - length for part in FRAME)
    return span[0] - random.uniform(least / 2, most / 2), span[1] + random.uniform(least / 2, most / 2)


def _grown(span: Span, by: float) -> Span:
    return span[0] - by, span[1] + by


def _within(span: Span, limit: int) -> tuple[int, int]:
    """The span moved into the picture, and cut off where it is larger; at least one pixel."""
    start, end = span
    start, end = (0.0, end - start) if start < 0 else (start, end)
    start, end = (start - (end - limit), limit) if end > limit else (start, end)
    low = min(int(max(0.0, start)), limit - 1)
    return low, max(low + 1, int(min(limit, end)))
