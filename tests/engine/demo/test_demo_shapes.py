from __future__ import annotations

from random import Random

import pytest

from engine.demo.shapes import BACKGROUNDS, BASE_SHAPES, COLOURS, SIZE, STAR, Figure, random_figure, random_polygon
from engine.demo.stars import judge

EVERY_SHAPE = (*BASE_SHAPES, STAR)


@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_a_figure_is_drawn_in_its_colour_on_its_background(shape):
    picture = Figure(shape, "purple", "cyan").draw()
    assert (picture.mode, picture.size) == ("RGB", (SIZE, SIZE))
    assert picture.getpixel((SIZE // 2, SIZE // 2)) == COLOURS["purple"]
    assert picture.getpixel((0, 0)) == BACKGROUNDS["cyan"]


def test_a_caption_describes_its_picture():
    assert Figure("triangle", "red", "gray").caption == "a red triangle on gray background"


def test_the_same_seed_draws_the_same_figure():
    assert random_figure(Random(1), STAR) == random_figure(Random(1), STAR)
    assert random_figure(Random(1), STAR) != random_figure(Random(2), STAR)


def test_given_colours_are_kept():
    figure = random_figure(Random(1), "circle", "orange", "pink")
    assert (figure.colour, figure.background) == ("orange", "pink")


@pytest.mark.parametrize("shape", EVERY_SHAPE)
def test_no_figure_reaches_the_border(shape):
    random = Random(3)
    for _ in range(100):
        figure = random_figure(random, shape)
        picture = figure.draw()
        border = [picture.getpixel((x, y)) for x in range(SIZE) for y in (0, SIZE - 1)]
        border += [picture.getpixel((x, y)) for x in (0, SIZE - 1) for y in range(SIZE)]
        assert set(border) == {BACKGROUNDS[figure.background]}


def test_edges_are_soft():
    colours = Figure("circle", "red", "white").draw().getcolors(SIZE * SIZE)
    assert colours is not None
    assert len(colours) > 2


def test_the_shapes_that_the_base_model_learns_include_no_star():
    random = Random(4)
    seen = [random_figure(random, shape).draw() for shape in BASE_SHAPES for _ in range(100)]
    seen += [random_polygon(random) for _ in range(300)]
    assert not any(judge(picture).is_star for picture in seen)
