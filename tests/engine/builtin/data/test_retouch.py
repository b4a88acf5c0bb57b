"""Pixels of pictures and masks after random and fixed changes, against values computed by hand."""

import colorsys
from random import Random

import pytest
import torch

from engine.builtin.config.concept import ConceptImageConfig
from engine.builtin.data.augment import NO_CHANGES, Changes, draw_changes
from engine.builtin.data.pictures import Crop
from engine.builtin.data.retouch import cut_mask, retouched, rotated, shrunk

PLAIN = Crop((4, 4), 0, 0, (4, 4), flip=False)


def pixel(*values):
    """A picture of 1 x 2 pixels: the given colour in [0, 1], and black."""
    return torch.tensor([[[value, 0.0]] for value in values]) * 2 - 1


def colours(picture):
    return [[round(value, 4) for value in row] for row in (picture / 2 + 0.5)[:, 0].T.tolist()]


def drawn(seed=0, **settings):
    return draw_changes(ConceptImageConfig.from_dict(settings), Random(seed))


def test_without_a_switch_nothing_changes():
    assert drawn(random_hue_max_strength=1.0) == NO_CHANGES
    picture = pixel(0.2, 0.4, 0.6)
    assert torch.allclose(retouched(picture, NO_CHANGES), picture, atol=1e-6)


def test_brightness_multiplies_and_clips():
    assert colours(retouched(pixel(0.2, 0.4, 0.6), Changes(brightness=2.0))) == [[0.4, 0.8, 1.0], [0, 0, 0]]


def test_contrast_moves_away_from_the_mean_grey():
    mean = (0.2989 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6) / 2
    expected = [[round(0.5 * value + 0.5 * mean, 4) for value in colour] for colour in ([0.2, 0.4, 0.6], [0, 0, 0])]
    assert colours(retouched(pixel(0.2, 0.4, 0.6), Changes(contrast=0.5))) == expected


def test_without_saturation_a_picture_is_grey():
    grey = round(0.2989 * 0.2 + 0.587 * 0.4 + 0.114 * 0.6, 4)
    assert colours(retouched(pixel(0.2, 0.4, 0.6), Changes(saturation=0.0))) == [[grey] * 3, [0, 0, 0]]


@pytest.mark.parametrize(
    "colour", [(0.2, 0.4, 0.6), (1.0, 0.0, 0.0), (0.7, 0.7, 0.1), (0.3, 0.9, 0.4), (0.5, 0.5, 0.5)]
)
@pytest.mark.parametrize("shift", [0.1, -0.25, 0.5])
def test_a_hue_is_shifted_on_the_colour_circle(colour, shift):
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    expected = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
    assert colours(retouched(pixel(*colour), Changes(hue=shift)))[0] == pytest.approx(expected, abs=1e-4)


def test_a_quarter_turn_is_counter_clockwise_with_black_beside_the_picture():
    wide = torch.arange(8.0).reshape(1, 2, 4)
    assert rotated(wide, 90.0).round().tolist() == [[[0, 2, 6, 0], [0, 1, 5, 0]]]
    assert torch.allclose(rotated(wide, 180.0), wide.flip(-1).flip(-2), atol=1e-4)


@pytest.mark.parametrize("what", ["brightness", "contrast", "saturation"])
def test_a_random_change_is_within_its_strength_and_a_fixed_one_is_exact(what):
    settings = {f"random_{what}_max_strength": 0.25}
    values = [getattr(drawn(seed, **settings, **{f"enable_random_{what}": True}), what) for seed in range(500)]
    assert 0.75 <= min(values) < 0.77
    assert 1.23 < max(values) <= 1.25
    assert getattr(drawn(**settings, **{f"enable_fixed_{what}": True}), what) == 1.25


def test_a_hue_strength_of_one_is_the_whole_circle():
    values = [drawn(seed, enable_random_hue=True, random_hue_max_strength=1.0).hue for seed in range(500)]
    assert -0.5 <= min(values) < -0.48
    assert 0.48 < max(values) <= 0.5
    assert drawn(enable_fixed_hue=True, random_hue_max_strength=0.5).hue == 0.25


def test_angles_are_to_both_sides_and_random_wins_over_fixed():
    settings = {"enable_random_rotate": True, "enable_fixed_rotate": True, "random_rotate_max_angle": 10.0}
    angles = [drawn(seed, **settings).angle for seed in range(500)]
    assert -10 <= min(angles) < -9.5
    assert 9.5 < max(angles) <= 10


def test_a_mask_is_cut_and_mirrored_like_its_picture():
    mask = torch.zeros(1, 4, 4)
    mask[:, 2:, :1] = 1
    assert cut_mask(mask, Crop((4, 4), 0, 1, (4, 2), flip=True), NO_CHANGES).tolist() == [[[0, 0, 0, 0], [0, 0, 0, 1]]]
    assert cut_mask(mask, PLAIN, Changes(angle=90.0)).round().tolist()[0][3] == [0, 0, 1, 1]


def test_a_shrunk_mask_is_a_circle_around_one_of_its_points():
    mask = torch.zeros(1, 9, 9)
    mask[:, 2:7, 2:7] = 1
    assert torch.equal(shrunk(mask, 1.0, seed=3), mask)
    points = {tuple(shrunk(mask, 0.0, seed).nonzero()[0].tolist()) for seed in range(300)}
    assert points == {(0, row, column) for row in range(2, 7) for column in range(2, 7)}
    half = shrunk(mask, 0.5, seed=1)
    assert 1 < half.sum() < mask.sum()


def test_the_circle_is_a_fifth_to_all_of_the_largest():
    changes = [drawn(seed, enable_random_circular_mask_shrink=True) for seed in range(500)]
    parts = [change.shrink for change in changes]
    assert 0.2 <= min(parts) < 0.22
    assert 0.98 < max(parts) <= 1
    assert len({change.shrink_seed for change in changes}) == 500
