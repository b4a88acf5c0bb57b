"""Make a data set of many pictures for measurements: `python -m benchmarks.data_set_of_thousands FOLDER [COUNT]`.

The pictures have four shapes, differ in their pixels, and two of three have a caption. Then open the site's page
"Data sets", which takes the folder in if it is in the data folder's `datasets`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

SHAPES = ((640, 480), (480, 640), (512, 512), (768, 432))
WORDS = ["red", "blue", "green", "round", "square", "tall", "wide", "old", "new", "bright", "dark", "soft"]


def make(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(1)
    for number in range(count):
        width, height = SHAPES[number % len(SHAPES)]
        picture = Image.new("RGB", (width, height), tuple(random.randrange(256) for _ in "rgb"))
        pen = ImageDraw.Draw(picture)
        for _ in range(4):
            x, y = random.randrange(width), random.randrange(height)
            pen.ellipse([x, y, x + width // 3, y + height // 3], fill=tuple(random.randrange(256) for _ in "rgb"))
        picture.save(folder / f"{number:05}.jpg", quality=80)
        if number % 3:
            (folder / f"{number:05}.txt").write_text(f"a photo of a thing, {', '.join(random.sample(WORDS, 3))}")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
