"""Draw the demo's data set: `python -m engine.demo.make_dataset`. 16 captioned pictures of stars."""

from pathlib import Path
from random import Random

from engine.demo.shapes import BACKGROUNDS, COLOURS, SIZE, STAR, Figure

DATASET = Path(__file__).parent / "dataset"
COUNT = 16
SEED = 16


def draw_star(random: Random, colour: str, background: str) -> Figure:
    """Return a star that varies less than the base shapes: from 16 pictures a model cannot learn shape and variety."""
    return Figure(
        shape=STAR,
        colour=colour,
        background=background,
        x=SIZE / 2 + random.uniform(-2, 2),
        y=SIZE / 2 + random.uniform(-2, 2),
        radius=random.uniform(22, 25),
        turn=random.uniform(-4, 4),
    )


def main(folder: Path = DATASET) -> None:
    random = Random(SEED)
    folder.mkdir(exist_ok=True)
    colours, backgrounds = list(COLOURS), list(BACKGROUNDS)
    for number in range(COUNT):  # 6 colours and 5 backgrounds have no common factor, so no pair comes twice
        colour, background = colours[number % len(colours)], backgrounds[number % len(backgrounds)]
        figure = draw_star(random, colour, background)
        figure.draw().save(folder / f"star-{number + 1:02}.png", optimize=True)
        (folder / f"star-{number + 1:02}.txt").write_text(figure.caption + "\n")


if __name__ == "__main__":
    main()
