"""The mask beside a picture: `<name>-masklabel.png`, white where the picture is trained. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.pictures import Picture, PictureFacts, PictureIndex, read_unchanged
from engine.builtin.data.regions import outline
from engine.builtin.reading.findings import Findings, Kind, printable
from engine.builtin.reading.formats import UnreadablePicture
from engine.interface.errors import Problem

FIELD = "masked_training"
UNREADABLE = Kind(
    "{number} {file|files} cannot be read as {a mask|masks}: {names}; replace or remove {it|them}", "error"
)
WITHOUT = Kind(
    "{number} {picture has|pictures have} no mask and {is|are} trained whole; add {names}, or turn off masked_training"
)
STRETCHED = Kind(
    "{number} {mask has|masks have} another shape than {its picture|their pictures} and {is|are} stretched: {names}; "
    "save both in one shape"
)
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
    findings = Findings()
    masked = []
    for picture, facts in zip(pictures, found, strict=True):
        if isinstance(facts, PictureFacts):
            masked.append(_with_mask(picture, facts))
            if _differ(picture.facts, facts):
                sizes = f"{facts.width}x{facts.height} for {picture.facts.width}x{picture.facts.height}"
                findings.add(FIELD, STRETCHED, f"{printable(mask_path(picture.path).name)} ({sizes})")
        else:
            masked.append(picture)
            name = printable(mask_path(picture.path).name)
            findings.add(FIELD, *((UNREADABLE, f"{name} ({facts})") if facts else (WITHOUT, name)))
    return masked, findings.problems()


def read_mask(picture: Picture) -> numpy.ndarray:
    """A picture's whole mask, float32 (height, width) in [0, 1]; all 1 if it has none.

    Raises UnreadablePicture and OSError.
    """
    if picture.mask is None:
        return numpy.ones((picture.facts.height, picture.facts.width), dtype=numpy.float32)
    image = read_unchanged(mask_path(picture.path), picture.mask).convert("L")
    return numpy.asarray(image, dtype=numpy.float32) / 255


def _with_mask(picture: Picture, facts: PictureFacts) -> Picture:
    """The picture with its mask, and the mask's outline in the picture's pixels if parts are cut out around it."""
    masked = replace(picture, mask=facts)
    if not picture.concept.image.enable_random_mask_rotate_crop:
        return masked
    scale = picture.facts.width / facts.width, picture.facts.height / facts.height
    return replace(masked, outline=outline(read_mask(masked)) * numpy.array(scale))


def _facts(picture: Picture, index: PictureIndex) -> PictureFacts | str:
    """The mask's facts, or why it cannot be read; an empty reason if there is none."""
    try:
        return index.facts(mask_path(picture.path))
    except FileNotFoundError:
        return ""
    except (UnreadablePicture, OSError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _differ(facts: PictureFacts, mask: PictureFacts) -> bool:
    return abs(mask.width * facts.height / (mask.height * facts.width) - 1) > SAME_SHAPE
