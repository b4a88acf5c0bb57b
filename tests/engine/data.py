"""Small data sets, and a model family that encodes without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from engine.builtin.config.train_config import TrainConfig


def make_pictures(folder: Path, sizes: list[tuple[int, int]], captions: bool = True) -> Path:
    """Pictures 0.png, 1.png and so on, each of its own colour, with captions beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (number * 20 % 256, number, 200)).save(folder / f"{number}.png")
        if captions:
            (folder / f"{number}.txt").write_text(f"picture {number}")
    return folder


def make_config(folder: Path, concept: dict[str, Any] | None = None, **changes: Any) -> TrainConfig:
    """A config that trains on the folder's pictures at 64 pixels."""
    settings = {"path": str(folder), **(concept or {})}
    values = {"concepts": [settings], "resolution": "64", "cache_dir": str(folder.parent / "cache"), "batch_size": 2}
    return TrainConfig.from_dict(values | changes)


class FakeFamily:
    """Encodes a picture as its mean colour and first column, and a caption as its letters; counts the encoded items."""

    size_multiple = 8
    mask_scale = 4
    takes_mask = False
    takes_sizes = False
    trains_pixels = False

    def __init__(self, identity: str = "fake", caption_identity: str = "fake"):
        self.identity = identity
        self.text_identity = caption_identity
        self.encoded: list[tuple[int, ...]] = []
        self.captions: list[str] = []

    def picture_identity(self) -> str:
        return self.identity

    def caption_identity(self) -> str:
        return self.text_identity

    def encode_images(self, pixels: Tensor) -> dict[str, Tensor]:
        self.encoded.append(tuple(pixels.shape))
        return {"mean": pixels.mean(dim=(2, 3)), "first_column": pixels[:, :, :, 0].contiguous()}

    def encode_captions(self, captions: list[str]) -> dict[str, Tensor]:
        self.captions += captions
        return {"hidden": torch.tensor([[float(ord(letter)) for letter in text.ljust(20)[:20]] for text in captions])}
