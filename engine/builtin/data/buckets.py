"""Aspect-ratio bucketing: the sizes at which a picture is trained, so that all pictures of a batch have one size."""

from __future__ import annotations

import math

from engine.builtin.config.resolutions import Resolution

Size = tuple[int, int]  # width and height in pixels

WIDE_RATIOS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0)
RATIOS = (*(1 / ratio for ratio in reversed(WIDE_RATIOS[1:])), *WIDE_RATIOS)


def bucket_sizes(picture: Size, resolutions: list[Resolution], bucketing: bool, multiple: int) -> tuple[Size, ...]:
    """The picture's size at each resolution; both sides are multiples of `multiple`.

    Pictures with equal results can share batches at every resolution.
    """
    ratio = nearest_ratio(picture)
    return tuple(
        bucket_size(resolution, ratio, multiple)
        if bucketing and not resolution.exact
        else (quantized(resolution.width, multiple), quantized(resolution.height, multiple))
        for resolution in resolutions
    )


def nearest_ratio(picture: Size) -> float:
    """The ratio of the list that is the fewest per cent away from the picture's width divided by its height."""
    target = math.log(picture[0] / picture[1])
    return min(RATIOS, key=lambda ratio: abs(math.log(ratio) - target))


def bucket_size(resolution: Resolution, ratio: float, multiple: int) -> Size:
    """The size with nearly the resolution's area and the given ratio."""
    area = resolution.width * resolution.height
    return quantized(math.sqrt(area * ratio), multiple), quantized(math.sqrt(area / ratio), multiple)


def quantized(side: float, multiple: int) -> int:
    """The nearest multiple, at least one times `multiple`."""
    return max(1, round(side / multiple)) * multiple
