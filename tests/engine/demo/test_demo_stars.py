"""The judge of stars, on hundreds of drawn figures of each kind; every figure is random, from a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from engine.demo.shapes import (
    BACKGROUNDS,
    BASE_SHAPES,
    COLOURS,
    SIZE,
    STAR,
    Point,
    draw_polygon,
    outline,
    random_figure,
    random_polygon,
)
from engine.demo.stars import convex_hull, judge, polygon_area, simplify

COUNT = 150
Draw = Callable[[Random], Image.Image]


def share_of_stars(draw: Draw, count: int = COUNT) -> float:
    random = Random(7)
    return sum(judge(draw(random)).is_star for _ in range(count)) / count


def around(random: Random, radii: list[float]) -> Image.Image:
    """A polygon with the given radii, evenly spread, with a random turn and random colours."""
    turn = random.uniform(0, 2 * math.pi)
    angles = [turn + 2 * math.pi * index / len(radii) for index in range(len(radii))]
    return filled(random, [(32 + r * math.cos(a), 32 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)])


def filled(random: Random, corners: list[Point]) -> Image.Image:
    return draw_polygon(corners, random.choice(list(COLOURS.values())), random.choice(list(BACKGROUNDS.values())))


def background_of(picture: Image.Image) -> tuple[int, ...]:
    corner = picture.getpixel((0, 0))
    assert isinstance(corner, tuple)
    return corner


def drawn_star(random: Random) -> Image.Image:
    return random_figure(random, STAR).draw()


def other_star(random: Random) -> Image.Image:
    """A star of any turn, of sizes and ratios that the demo never draws."""
    radius, ratio = random.uniform(13, 29), random.uniform(0.3, 0.55)
    return around(random, [radius, radius * ratio] * 5)


def star_at_an_edge(random: Random) -> Image.Image:
    corners = outline(STAR, random.choice([24, 40]), random.choice([24, 40]), 22, random.uniform(0, 360))
    return filled(random, corners)


def blurred(draw: Draw, pixels: float) -> Draw:
    return lambda random: draw(random).filter(ImageFilter.GaussianBlur(pixels))


def noisy(draw: Draw, strength: float) -> Draw:
    def draw_noisy(random: Random) -> Image.Image:
        noise = np.random.default_rng(random.randrange(2**32)).normal(0, strength, (SIZE, SIZE, 3))
        return Image.fromarray((np.asarray(draw(random)) + noise).clip(0, 255).astype(np.uint8))

    return draw_noisy


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(drawn_star, id="as the demo draws them"),
        pytest.param(other_star, id="of other sizes, ratios and turns"),
        pytest.param(star_at_an_edge, id="far from the middle"),
        pytest.param(blurred(drawn_star, 1), id="soft"),
        pytest.param(blurred(drawn_star, 2), id="very soft"),
        pytest.param(noisy(drawn_star, 10), id="noisy"),
        pytest.param(noisy(blurred(other_star, 1), 8), id="others, soft and noisy"),
    ],
)
def test_drawn_stars_are_stars(draw: Draw):
    assert share_of_stars(draw) > 0.98


def base_shape(random: Random) -> Image.Image:
    return random_figure(random, random.choice(BASE_SHAPES)).draw()


def regular_polygon(random: Random) -> Image.Image:
    return around(random, [random.uniform(12, 28)] * random.randint(3, 12))


def star_of_another_number(random: Random) -> Image.Image:
    radius = random.uniform(16, 28)
    return around(random, [radius, radius * random.uniform(0.3, 0.6)] * random.choice([3, 4, 6, 7, 8]))


def cross(random: Random) -> Image.Image:
    width, length = random.uniform(4, 9), random.uniform(18, 27)
    arm = [(width, -width), (length, -width), (length, width)]
    turn, corners = random.uniform(0, 2 * math.pi), []
    for quarter in range(4):
        angle = turn + quarter * math.pi / 2
        corners += [
            (32 + x * math.cos(angle) - y * math.sin(angle), 32 + x * math.sin(angle) + y * math.cos(angle))
            for x, y in arm
        ]
    return filled(random, corners)


def ten_corners(random: Random) -> Image.Image:
    return around(random, [random.uniform(6, 29) for _ in range(10)])


def blob(random: Random) -> Image.Image:
    waves = [(count, random.uniform(0, 0.25), random.uniform(0, 6.3)) for count in range(2, 8)]
    angles = [2 * math.pi * index / 180 for index in range(180)]
    return around(random, [20 * (1 + sum(h * math.cos(n * a + p) for n, h, p in waves)) for a in angles])


def petals(random: Random) -> Image.Image:
    depth = random.uniform(0.1, 0.45)
    return around(random, [18 * (1 + depth * math.cos(2 * math.pi * 5 * index / 180)) for index in range(180)])


def star_without_a_tip(random: Random) -> Image.Image:
    return around(random, [22 * random.uniform(0.2, 0.5), 9, *[22, 9] * 4])


def half_a_star(random: Random) -> Image.Image:
    picture = drawn_star(random)
    side = random.choice([(0, 0, 64, 32), (0, 32, 64, 64), (0, 0, 32, 64), (32, 0, 64, 64)])
    picture.paste(background_of(picture), side)
    return picture


def half_formed(random: Random) -> Image.Image:
    """A picture of a half-trained model: a star that is still mostly another shape."""
    star = random_figure(random, STAR)
    shape = random_figure(random, random.choice(BASE_SHAPES), star.colour, star.background)
    return Image.blend(star.draw(), shape.draw(), 0.6)


def two_stars(random: Random) -> Image.Image:
    picture = drawn_star(random).resize((32, 32), Image.Resampling.BOX)
    both = Image.new("RGB", (SIZE, SIZE), background_of(picture))
    both.paste(picture, (0, 16))
    both.paste(picture, (32, 16))
    return both


def star_with_a_hole(random: Random) -> Image.Image:
    picture = drawn_star(random)
    x, y = 32 + random.randint(-3, 3), 32 + random.randint(-3, 3)
    ImageDraw.Draw(picture).ellipse((x - 5, y - 5, x + 5, y + 5), fill=background_of(picture))
    return picture


@pytest.mark.parametrize(
    "draw",
    [
        base_shape,
        random_polygon,
        regular_polygon,
        star_of_another_number,
        cross,
        ten_corners,
        blob,
        petals,
        star_without_a_tip,
        half_a_star,
        half_formed,
        two_stars,
        star_with_a_hole,
        pytest.param(blurred(base_shape, 2), id="soft shapes"),
        pytest.param(noisy(base_shape, 10), id="noisy shapes"),
        pytest.param(blurred(star_of_another_number, 1.5), id="soft stars of another number"),
    ],
)
def test_other_figures_are_no_stars(draw: Draw):
    assert share_of_stars(draw) < 0.01


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_star_has_its_colour_on_every_background(colour, background):
    figure = random_figure(Random(1), STAR, colour, background)
    soft_and_noisy = noisy(blurred(lambda _: figure.draw(), 1.5), 8)
    assert judge(soft_and_noisy(Random(2))).colour == colour


def test_a_star_in_none_of_the_six_colours_has_none():
    star = outline(STAR, 32, 32, 22, 0)
    verdict = judge(draw_polygon(star, BACKGROUNDS["gray"], BACKGROUNDS["white"]))
    assert verdict.is_star
    assert verdict.colour is None


def test_a_star_in_two_colours_is_not_one_star():
    star = outline(STAR, 32, 32, 22, 0)
    picture = draw_polygon(star, COLOURS["red"], BACKGROUNDS["white"])
    picture.paste(draw_polygon(star, COLOURS["green"], BACKGROUNDS["white"]).crop((0, 32, 64, 64)), (0, 32))
    assert judge(picture).reason == "it has more than one colour"


def test_an_empty_picture_shows_no_figure():
    assert judge(Image.new("RGB", (SIZE, SIZE), (250, 250, 250))).reason == "there is no figure"


def test_noise_alone_is_no_star():
    assert share_of_stars(noisy(lambda _: Image.new("RGB", (SIZE, SIZE), (128, 128, 128)), 60), 20) == 0


def test_a_reason_says_what_the_outline_lacks():
    assert judge(cross(Random(3))).reason == "it has 8 corners outwards and 4 inwards"


def test_the_verdict_does_not_depend_on_the_picture_size():
    large = random_figure(Random(4), STAR, "green", "pink").draw().resize((128, 128), Image.Resampling.BICUBIC)
    assert (judge(large).is_star, judge(large).colour) == (True, "green")


def test_the_hull_of_a_star_is_its_pentagon():
    star = np.array(outline(STAR, 0, 0, 10, 0))
    assert len(convex_hull(star)) == 5
    assert polygon_area(convex_hull(star)) == pytest.approx(2.5 * math.sin(math.radians(72)) * 100)


def test_a_simplified_square_has_four_corners():
    sides = np.array([(t, -1) for t in np.linspace(-1, 1, 20)])
    quarter = np.array([[0, 1], [-1, 0]])
    points = np.concatenate([sides[:-1] @ np.linalg.matrix_power(quarter, turns) for turns in range(4)])
    assert len(simplify(points, 0.05)) == 4
