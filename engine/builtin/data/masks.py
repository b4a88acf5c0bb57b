"""The mask beside a picture: `<name>-masklabel.png`, white where the picture is trained. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.formats import UnreadablePicture
from engine.builtin.data.pictures import Picture, PictureFacts, PictureIndex, read_unchanged
from engine.interface.errors import Problem

FIELD = "masked_training"
SAME_SHAPE = 0.02  # the part by which the shapes of mask and picture may differ


def mask_path(picture: Path) -> Path:
    """The path of a picture's mask, whether it exists or not."""
    return picture.with_name(f"{picture.stem}-masklabel.png")


def with_masks(
    config: TrainConfig, pictures: Sequence[Picture], index: PictureIndex
) -> tuple[list[Picture], list[Problem]]:
    """The pictures with the facts of their masks, and the problems of these."""
    with ThreadPoolExecutor(config.dataloader_threads) as pool:
        found = list(pool.map(lambda picture: _facts(picture, index), pictures))
    problems = [fact for fact in found if isinstance(fact, Problem)]
    masked = [
        replace(picture, mask=None if isinstance(fact, Problem) else fact)
        for picture, fact in zip(pictures, found, strict=True)
    ]
    return masked, problems or list(_doubts(masked))


def read_mask(picture: Picture) -> numpy.ndarray:
    """A picture's whole mask, float32 (height, width) in [0, 1]; all 1 if it has none.

    Raises UnreadablePicture and OSError.
    """
    if picture.mask is None:
        return numpy.ones((picture.facts.height, picture.facts.width), dtype=numpy.float32)
    image = read_unchanged(mask_path(picture.path), picture.mask).convert("L")
    return numpy.asarray(image, dtype=numpy.float32) / 255


def _facts(picture: Picture, index: PictureIndex) -> PictureFacts | Problem | None:
    path = mask_path(picture.path)
    try:
        return index.facts(path)
    except FileNotFoundError:
        return None
    except (UnreadablePicture, OSError) as error:
        return Problem(FIELD, f"{path} cannot be read as a mask ({error}); replace or remove it")


def _doubts(pictures: list[Picture]) -> Iterator[Problem]:
    """Pictures without a mask, which are trained whole as in OneTrainer, and masks that do not fit."""
    without = [picture for picture in pictures if picture.mask is None]
    if without:
        yield Problem(
            FIELD,
            f"{len(without)} of {len(pictures)} pictures have no mask and are trained whole, among them "
            f"{without[0].path}; add {mask_path(without[0].path).name}, or turn off masked_training",
            "warning",
        )
    for picture in pictures:
        if picture.mask and _differ(picture.facts, picture.mask):
            yield Problem(
                FIELD,
                f"{mask_path(picture.path)} is {picture.mask.width}x{picture.mask.height}, its picture "
                f"{picture.facts.width}x{picture.facts.height}, so the mask is stretched; save both in one shape",
                "warning",
            )


def _differ(facts: PictureFacts, mask: PictureFacts) -> bool:
    return abs(mask.width * facts.height / (mask.height * facts.width) - 1) > SAME_SHAPE
