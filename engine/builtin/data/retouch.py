"""Pixels of pictures and masks, changed as `augment` drew it.

Brightness, contrast, saturation, hue and rotation are those of torchvision's `functional` on float tensors, which
OneTrainer uses: https://docs.pytorch.org/vision/stable/transforms.html
"""

from __future__ import annotations

import math

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from engine.builtin.data.augment import Changes
from engine.builtin.data.pictures import Crop
from engine.builtin.data.regions import Region

GREY = (0.2989, 0.587, 0.114)  # ITU-R BT.601, as torchvision rounds it


def retouched(pixels: Tensor, changes: Changes) -> Tensor:
    """A picture (3, height, width) in [-1, 1], turned and recoloured."""
    values = rotated(pixels / 2 + 0.5, changes.angle) if changes.angle else pixels / 2 + 0.5
    if changes.brightness != 1:
        values = (values * changes.brightness).clamp(0, 1)
    if changes.contrast != 1:
        values = _blended(values, _grey(values).mean(), changes.contrast)
    if changes.saturation != 1:
        values = _blended(values, _grey(values), changes.saturation)
    if changes.hue:
        values = _with_hue(values, changes.hue)
    return values * 2 - 1


def cut_mask(mask: Tensor, crop: Crop, changes: Changes, region: Region | None = None) -> Tensor:
    """A picture's whole mask (1, height, width) in [0, 1], cut and turned as the picture is."""
    if changes.shrink is not None:
        mask = shrunk(mask, changes.shrink, changes.shrink_seed)
    if region:
        part = numpy.asarray(region.cut_out(Image.fromarray(mask[0].numpy())))
        mask = torch.from_numpy(part.copy())[None]
    mask = resized(mask, (crop.scaled[1], crop.scaled[0]))
    mask = mask[:, crop.top : crop.top + crop.size[1], crop.left : crop.left + crop.size[0]]
    mask = mask.flip(-1) if crop.flip else mask
    return rotated(mask, changes.angle) if changes.angle else mask.contiguous()


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(channels, *size), with the filter that OneTrainer uses for masks."""
    if tuple(image.shape[-2:]) == size:
        return image
    return functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]


def rotated(image: Tensor, angle: float) -> Tensor:
    """Turned counter-clockwise around its centre by `angle` degrees, bilinear; the corners become 0."""
    height, width = image.shape[-2:]
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    source = torch.tensor([[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]])
    grid = functional.affine_grid(source[None], [1, len(image), height, width], align_corners=False)
    return functional.grid_sample(image[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]


def shrunk(mask: Tensor, part: float, seed: int) -> Tensor:
    """The mask within a circle around a random point of it; with `part` 1 the circle holds the whole mask."""
    chances = torch.from_numpy(numpy.random.default_rng(seed).random(mask.shape[-2:], dtype=numpy.float32))
    top, left = divmod(int((chances * mask[0]).argmax()), mask.shape[-1])
    rows = (torch.arange(mask.shape[-2]) - top).float()
    columns = (torch.arange(mask.shape[-1]) - left).float()
    distance = torch.hypot(rows[:, None], columns[None, :])
    return mask * (distance <= part * (mask[0] * distance).max())


def _grey(values: Tensor) -> Tensor:
    return (values * torch.tensor(GREY)[:, None, None]).sum(dim=0)


def _blended(values: Tensor, other: Tensor, factor: float) -> Tensor:
    return (values * factor + other * (1 - factor)).clamp(0, 1)


def _with_hue(values: Tensor, shift: float) -> Tensor:
    """Hue shifted by a part of the circle; the formulas are those of Smith, Color Gamut Transform Pairs, 1978."""
    largest, smallest = values.amax(dim=0), values.amin(dim=0)
    span = largest - smallest
    red, green, blue = values
    divisor = torch.where(span > 0, span, torch.ones_like(span))
    sextant = torch.where(
        largest == red,
        (green - blue) / divisor,
        torch.where(largest == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sextant = (sextant + 6 * shift) % 6
    return torch.stack([_channel(number, sextant, largest, span) for number in (5, 3, 1)])


def _channel(number: int, sextant: Tensor, largest: Tensor, span: Tensor) -> Tensor:
    """One channel of a colour from its hue in sextants, value and chroma."""
    place = (number + sextant) % 6
    return largest - span * torch.minimum(place, 4 - place).clamp(0, 1)
