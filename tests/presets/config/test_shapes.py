"""The shapes of samples."""

from __future__ import annotations

import pytest

from presets.config.shapes import RATIOS, size_of


@pytest.mark.parametrize(
    ("ratio", "edge", "size"),
    [
        ((1, 1), 512, (512, 512)),
        ((3, 2), 512, (640, 448)),
        ((2, 3), 1024, (832, 1280)),
        ((16, 9), 1024, (1344, 768)),
        ((9, 16), 512, (384, 704)),
        ((3, 2), 64, (80, 56)),
    ],
)
def test_a_shape_has_about_as_many_pixels_as_the_square(ratio, edge, size):
    assert size_of(ratio, edge) == size


def test_each_shape_can_be_turned_on_its_side():
    assert {(high, wide) for wide, high in RATIOS} == set(RATIOS)
