"""Judge by its outline whether a picture shows one five-pointed star, and of which colour.

No trained model takes part, so the verdict is always the same. It has three steps: how much of each pixel the figure
covers, the figure's outline seen from its middle, and the outline's corners and convex hull.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.demo.shapes import BACKGROUNDS, COLOURS

Array = np.ndarray

LEAST_CONTRAST = 40.0  # between figure and background, as a distance in RGB; the closest pair in the demo has 100
LEAST_AREA, MOST_AREA = 0.02, 0.6  # of the picture
MOST_STRAY = 0.12  # of the figure's area: other colours, other figures, holes
RAYS = 360  # one a degree
RAY_STEP = 0.5  # pixels
TOLERANCE = 0.06  # of the outline's largest radius: a smaller bump is not a corner
SAME_CORNER = 0.3  # of the largest radius: a blunt tip's two corners are one
LEAST_SOLIDITY, MOST_SOLIDITY = 0.33, 0.80  # area over the convex hull's area; the demo's stars have 0.49
MOST_BULGE = 1.25  # area over that of the straight lines between the corners; petals have more
POINTS = 5
MOST_UNEVEN = 27.0  # degrees that a step from tip to tip may differ from 72
SHORTEST_TIP = 0.65  # of the longest
FARTHEST_COLOUR = 90.0  # a distance in RGB; red and orange are 104 apart


@dataclass(frozen=True)
class Verdict:
    """The content of a picture: whether it is one star, of which of the six colours (None: of another), and why not."""

    is_star: bool
    colour: str | None
    reason: str = ""


class NoStar(Exception):
    """The reason why the figure is not a star."""


def judge(picture: Image.Image) -> Verdict:
    """Say whether the picture shows one star on a plain background, and of which colour."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float64)
    try:
        coverage, colour = find_figure(pixels)
        refuse_unlike_star(trace_outline(coverage), float((coverage > 0.5).sum()))
    except NoStar as reason:
        return Verdict(False, None, str(reason))
    return Verdict(True, name_colour(colour))


def find_figure(pixels: Array) -> tuple[Array, Array]:
    """Return how much of each pixel (height, width) the figure covers, from 0 to 1, and its colour (3,).

    The background's colour is the border's; the figure's is the median of the pixels that differ most from it.
    """
    background = np.median(_border(pixels), axis=0)
    difference = pixels - background
    distance = np.linalg.norm(difference, axis=2)
    contrast = np.percentile(distance, 100 * (1 - LEAST_AREA / 2))
    if contrast < LEAST_CONTRAST:
        raise NoStar("there is no figure")
    contrasting = distance > 0.7 * contrast
    axis = np.median(difference[contrasting], axis=0)
    coverage = np.clip(difference @ axis / (axis @ axis), 0, 1)
    _refuse_other_colours(difference - coverage[..., None] * axis, float(np.linalg.norm(axis)), coverage)
    return coverage, background + axis


def _border(pixels: Array) -> Array:
    """The outermost pixels, (n, 3)."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _refuse_other_colours(rest: Array, contrast: float, coverage: Array) -> None:
    """`rest` is the part of each colour that no mixture of figure and background explains."""
    area = (coverage > 0.5).sum()
    if not LEAST_AREA < area / coverage.size < MOST_AREA:
        raise NoStar("the figure is too small or too large")
    if (np.linalg.norm(rest, axis=2) > 0.4 * contrast).sum() > MOST_STRAY * area:
        raise NoStar("it has more than one colour")


def trace_outline(coverage: Array) -> Array:
    """Return the outline as (RAYS, 2) points x, y around the figure's middle: where each ray first leaves the figure.

    Bilinear between the pixels, so soft edges give a smooth outline.
    """
    rows, columns = np.nonzero(coverage > 0.5)
    middle = np.array([columns.mean(), rows.mean()])
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.arange(0, max(coverage.shape), RAY_STEP)
    along = _between_pixels(coverage, middle + radii[None, :, None] * directions[:, None, :])
    left = np.argmax(along < 0.5, axis=1)
    if (left == 0).any():
        raise NoStar("its middle is empty")
    rays = np.arange(RAYS)
    inside, outside = along[rays, left - 1], along[rays, left]
    lengths = radii[left - 1] + RAY_STEP * (inside - 0.5) / (inside - outside)
    return lengths[:, None] * directions


def _between_pixels(coverage: Array, points: Array) -> Array:
    """Coverage at points (..., 2) x, y in pixels; nothing is covered outside the picture."""
    framed = np.pad(coverage, 1)
    x = np.clip(points[..., 0] + 1, 0, framed.shape[1] - 1.001)
    y = np.clip(points[..., 1] + 1, 0, framed.shape[0] - 1.001)
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    upper = framed[row, column] * (1 - right) + framed[row, column + 1] * right
    lower = framed[row + 1, column] * (1 - right) + framed[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down


def refuse_unlike_star(outline: Array, figure_area: float) -> None:
    """Raise NoStar unless the outline is a star's; `figure_area` in pixels shows whether it encloses the figure."""
    area = polygon_area(outline)
    if abs(area - figure_area) > MOST_STRAY * figure_area:
        raise NoStar("it is not one whole figure")
    solidity = area / polygon_area(convex_hull(outline))
    if not LEAST_SOLIDITY < solidity < MOST_SOLIDITY:
        raise NoStar(f"it fills {solidity:.0%} of its convex hull")
    tips, dips = corners(outline)
    if len(tips) != POINTS or abs(len(dips) - POINTS) > 1:  # a wide dip may have two corners, a shallow one none
        raise NoStar(f"it has {len(tips)} corners outwards and {len(dips)} inwards")
    if area > MOST_BULGE * polygon_area(_in_order(np.concatenate([tips, dips]))):
        raise NoStar("its sides are round")
    _refuse_uneven(tips)


def _in_order(points: Array) -> Array:
    """The points by their angle around the middle."""
    return points[np.argsort(np.arctan2(points[:, 1], points[:, 0]))]


def _refuse_uneven(tips: Array) -> None:
    lengths = np.linalg.norm(tips, axis=1)
    if lengths.min() < SHORTEST_TIP * lengths.max():
        raise NoStar("its tips differ in length")
    turns = np.sort(np.degrees(np.arctan2(tips[:, 1], tips[:, 0])))
    steps = np.diff(turns, append=turns[0] + 360)
    if np.abs(steps - 360 / POINTS).max() > MOST_UNEVEN:
        raise NoStar("its tips are spread unevenly")


def corners(outline: Array) -> tuple[Array, Array]:
    """Return the corners of the simplified outline, (n, 2) pointing outwards and (m, 2) pointing inwards."""
    size = np.linalg.norm(outline, axis=1).max()
    points = simplify(outline, TOLERANCE * size)
    outwards = _point_outwards(points)
    return _merge(points[outwards], SAME_CORNER * size), _merge(points[~outwards], SAME_CORNER * size)


def _merge(points: Array, distance: float) -> Array:
    """Neighbours nearer than `distance` become the point halfway between them."""
    merged = list(points)
    index = 0
    while index < len(merged) > 1:
        neighbour = merged[index - 1]
        if np.linalg.norm(merged[index] - neighbour) < distance:
            merged[index] = (merged[index] + neighbour) / 2
            del merged[index - 1]
        else:
            index += 1
    return np.array(merged).reshape(-1, 2)


def simplify(outline: Array, tolerance: float) -> Array:
    """Return the fewest of the closed outline's points that leave none farther than `tolerance` from their lines.

    Douglas and Peucker (1973), on the two halves between the point farthest from the middle and the opposite point.
    """
    outline = np.roll(outline, -np.linalg.norm(outline, axis=1).argmax(), axis=0)
    opposite = int(np.linalg.norm(outline - outline[0], axis=1).argmax())
    closed = np.append(outline, outline[:1], axis=0)
    halves = [_simplify_open(closed[: opposite + 1], tolerance), _simplify_open(closed[opposite:], tolerance)]
    return np.concatenate([half[:-1] for half in halves])


def _simplify_open(line: Array, tolerance: float) -> Array:
    span = line[-1] - line[0]
    distances = np.abs(_cross(span, line - line[0])) / max(np.linalg.norm(span), 1e-9)
    farthest = int(distances.argmax())
    if distances[farthest] <= tolerance:
        return line[[0, -1]]
    before, after = _simplify_open(line[: farthest + 1], tolerance), _simplify_open(line[farthest:], tolerance)
    return np.concatenate([before[:-1], after])


def convex_hull(outline: Array) -> Array:
    """Return the corners of the convex hull, in order; the outline's points are in order around its middle.

    A corner that points inwards is not on the hull: all such corners are removed together, until none is left.
    """
    while not (outwards := _point_outwards(outline)).all():
        outline = outline[outwards]
    return outline


def _point_outwards(points: Array) -> Array:
    to_here, from_here = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return _cross(to_here, from_here) > 0


def polygon_area(points: Array) -> float:
    """Gauss's shoelace formula."""
    return float(abs(_cross(points, np.roll(points, -1, axis=0)).sum()) / 2)


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def name_colour(colour: Array) -> str | None:
    """The nearest of the six colours; None if a background's colour is nearer, or none is near."""
    named = {**COLOURS, **BACKGROUNDS}
    distances = {name: float(np.linalg.norm(colour - np.array(value))) for name, value in named.items()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest if nearest in COLOURS and distances[nearest] < FARTHEST_COLOUR else None
