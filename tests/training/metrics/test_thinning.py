"""Thinning of curves."""

import random

import pytest

from training.metrics.thinning import Point, Stretch, Thinner


def curve(count):
    rolls = random.Random(count)
    return [Point(step, rolls.random(), float(step)) for step in range(count)]


def thinner(points, limit):
    made = Thinner(0, max(1, len(points)) - 1, limit)
    for point in points:
        made.take(Stretch(1, point.value, point, point))
    return made


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 10, 99, 100, 101, 1000, 12345])
@pytest.mark.parametrize("limit", [4, 5, 10, 100])
def test_a_curve_keeps_its_ends_its_extremes_and_its_order(count, limit):
    points = curve(count)
    kept = thinner(points, limit).points()
    assert len(kept) <= limit
    assert kept == sorted(kept) and set(kept) <= set(points)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        for extreme in (min, max):
            assert extreme(kept, key=lambda point: point.value) == extreme(points, key=lambda point: point.value)


def test_a_short_curve_is_kept_as_it_is():
    whole = thinner(curve(50), 50)
    assert (whole.points(), whole.means()) == (curve(50), [])


def test_a_thinned_curve_has_its_means():
    points = [Point(step, float(step % 2), float(step)) for step in range(1000)]
    means = thinner(points, 22).means()
    assert len(means) == 10 and {point.value for point in means} == {0.5}
