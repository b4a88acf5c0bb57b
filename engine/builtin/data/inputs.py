"""The pixels and the mask of one item of a plan, read from its files, and the facts that they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from engine.builtin.data.batches import CaptionedCrop
from engine.builtin.data.masks import mask_path, read_mask
from engine.builtin.data.pictures import pixels, read_unchanged
from engine.builtin.data.retouch import cut_mask, resized, retouched
from engine.builtin.reading.formats import UnreadablePicture
from engine.interface.errors import BadData

Facts = list[object]


def picture_pixels(item: CaptionedCrop) -> Tensor:
    """The training picture, (3, height, width) in [-1, 1]. Raises BadData if its file is missing or has changed."""
    with _explained(item.picture.path):
        picture = read_unchanged(item.picture.path, item.picture.facts)
    picture = item.region.cut_out(picture) if item.region else picture
    return retouched(torch.from_numpy(pixels(picture, item.crop)), item.changes)


def mask_pixels(item: CaptionedCrop) -> Tensor:
    """The mask of the training picture, (1, height, width) in [0, 1]. Raises BadData as `picture_pixels`."""
    with _explained(mask_path(item.picture.path)):
        whole = torch.from_numpy(read_mask(item.picture))[None]
    if item.region:
        whole = resized(whole, (item.picture.facts.height, item.picture.facts.width))
    return cut_mask(whole, item.crop, item.changes, item.region)


def sizes(item: CaptionedCrop) -> tuple[int, ...]:
    """Height and width of the whole picture, top and left of its crop in the scaled picture, and the crop's size."""
    facts, crop = item.picture.facts, item.crop
    width, height = item.region.size if item.region else (facts.width, facts.height)
    return height, width, crop.top, crop.left, crop.size[1], crop.size[0]


def is_whole(item: CaptionedCrop) -> bool:
    """True if the mask is white all over, and need not be read."""
    changes = item.changes
    stays = changes.shrink is None and not changes.angle and item.region is None
    return item.ignores_mask or (item.picture.mask is None and stays)


def picture_facts(item: CaptionedCrop) -> Facts:
    changes = item.changes
    colours = [changes.brightness, changes.contrast, changes.saturation, changes.hue]
    return [item.picture.facts.pixels, _cut(item), colours]


def mask_facts(item: CaptionedCrop) -> Facts:
    facts, changes = item.picture.mask or item.picture.facts, item.changes
    name = item.picture.mask and facts.pixels
    return [name, facts.width, facts.height, _cut(item), changes.shrink, changes.shrink_seed]


def _cut(item: CaptionedCrop) -> Facts:
    crop = item.crop
    region = item.region and [item.region.angle, item.region.centre, item.region.box]
    return [crop.scaled, crop.left, crop.top, crop.size, crop.flip, item.changes.angle, region]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise BadData with a sentence if the file cannot be read, or has changed."""
    try:
        yield
    except (UnreadablePicture, OSError) as error:
        raise BadData(f"{path} can no longer be read ({error}): start the run again.") from error
