"""Draw the demo's pictures: one plain figure on a plain background, 64x64 pixels, with its caption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

SIZE = 64
OVERSAMPLING = 4  # edges are smoothed by drawing this many times larger

COLOURS: dict[str, Colour] = {
    "red": (220, 30, 35),
    "green": (30, 155, 60),
    "blue": (35, 70, 220),
    "yellow": (250, 220, 40),
    "purple": (140, 40, 175),
    "orange": (245, 130, 25),
}
BACKGROUNDS: dict[str, Colour] = {
    "white": (250, 250, 250),
    "black": (15, 15, 15),
    "gray": (128, 128, 128),
    "pink": (255, 190, 205),
    "cyan": (120, 225, 235),
}
BASE_SHAPES = ("circle", "square", "triangle")
STAR = "star"
STAR_INNER_RADIUS = 0.4  # of the outer one; a pentagram has 0.382


@dataclass(frozen=True)
class Figure:
    """The content of a picture; lengths in pixels, the turn in degrees, clockwise."""

    shape: str
    colour: str
    background: str
    x: float = SIZE / 2
    y: float = SIZE / 2
    radius: float = 22.0
    turn: float = 0.0

    @property
    def caption(self) -> str:
        return f"a {self.colour} {self.shape} on {self.background} background"

    def draw(self) -> Image.Image:
        """Return the picture, RGB, SIZE x SIZE."""
        corners = outline(self.shape, self.x, self.y, self.radius, self.turn)
        return draw_polygon(corners, COLOURS[self.colour], BACKGROUNDS[self.background])


def random_figure(random: Random, shape: str, colour: str | None = None, background: str | None = None) -> Figure:
    """Return a figure near the middle, of slightly varied size and turn; colours that are not given are random."""
    return Figure(
        shape=shape,
        colour=colour or random.choice(list(COLOURS)),
        background=background or random.choice(list(BACKGROUNDS)),
        x=SIZE / 2 + random.uniform(-4, 4),
        y=SIZE / 2 + random.uniform(-4, 4),
        radius=random.uniform(20, 26),
        turn=random.uniform(-12, 12),
    )


def random_polygon(random: Random) -> Image.Image:
    """Return a picture of an irregular figure of 3 to 8 corners in any two colours: never a star of five points."""
    radii = [random.uniform(6, 29) for _ in range(random.randint(3, 8))]
    centre = (SIZE / 2 + random.uniform(-6, 6), SIZE / 2 + random.uniform(-6, 6))
    return draw_polygon(_around(*centre, radii, random.uniform(0, 360)), _any_colour(random), _any_colour(random))


def outline(shape: str, x: float, y: float, radius: float, turn: float) -> list[Point]:
    """Return the corners of a shape around (x, y); all of them are within the radius."""
    if shape == STAR:
        radii = [radius, radius * STAR_INNER_RADIUS] * 5
        return _around(x, y, radii, turn)
    corners = {"circle": 90, "square": 4, "triangle": 3}[shape]
    first_corner = 45.0 if shape == "square" else 0.0
    scale = 0.85 if shape == "circle" else 1.0  # keeps the areas alike
    return _around(x, y, [radius * scale] * corners, turn + first_corner)


def draw_polygon(corners: Sequence[Point], colour: Colour, background: Colour) -> Image.Image:
    """Return a SIZE x SIZE picture of one filled polygon with smooth edges."""
    side = SIZE * OVERSAMPLING
    picture = Image.new("RGB", (side, side), background)
    ImageDraw.Draw(picture).polygon([(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in corners], fill=colour)
    return picture.resize((SIZE, SIZE), Image.Resampling.BOX)


def _around(x: float, y: float, radii: Sequence[float], turn: float) -> list[Point]:
    """Spread the corners evenly around a centre, the first one straight up, then turn them."""
    angles = (math.radians(turn - 90 + 360 * index / len(radii)) for index in range(len(radii)))
    return [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]


def _any_colour(random: Random) -> Colour:
    """Half of the time one of the named colours, else any."""
    if random.random() < 0.5:
        return random.choice([*COLOURS.values(), *BACKGROUNDS.values()])
    return (random.randrange(256), random.randrange(256), random.randrange(256))
