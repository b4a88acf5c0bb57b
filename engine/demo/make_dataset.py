"""Draw the demo's data set: `python -m engine.demo.make_dataset`. 16 captioned pictures of stars."""

from pathlib import Path
from random import Random

from engine.demo.shapes import BACKGROUNDS, COLOURS, STAR, random_figure

DATASET = Path(__file__).parent / "dataset"
COUNT = 16
SEED = 16


def main() -> None:
    random = Random(SEED)
    DATASET.mkdir(exist_ok=True)
    colours, backgrounds = list(COLOURS), list(BACKGROUNDS)
    for number in range(COUNT):  # 6 colours and 5 backgrounds have no common factor, so no pair comes twice
        colour, background = colours[number % len(colours)], backgrounds[number % len(backgrounds)]
        figure = random_figure(random, STAR, colour, background)
        figure.draw().save(DATASET / f"star-{number + 1:02}.png", optimize=True)
        (DATASET / f"star-{number + 1:02}.txt").write_text(figure.caption + "\n")


if __name__ == "__main__":
    main()
