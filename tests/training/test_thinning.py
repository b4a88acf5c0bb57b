"""Thinning of curves."""

import random

import pytest

from training.thinning import Point, thin


def curve(count):
    rolls = random.Random(count)
    return [Point(step, rolls.random(), float(step)) for step in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 10, 99, 100, 101, 1000, 12345])
@pytest.mark.parametrize("limit", [4, 5, 10, 100])
def test_a_curve_keeps_its_ends_its_extremes_and_its_order(count, limit):
    points = curve(count)
    kept = thin(iter(points), count, limit)
    assert len(kept) <= max(limit, 0)
    assert kept == sorted(kept) and set(kept) <= set(points)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        for extreme in (min, max):
            assert extreme(kept, key=lambda point: point.value) == extreme(points, key=lambda point: point.value)


def test_a_short_curve_is_kept_as_it_is():
    assert thin(iter(curve(50)), 50, 50) == curve(50)
