"""Encoded pictures and captions: read from the cache in any thread, or encoded by the family in the training thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.batches import CaptionedCrop
from engine.builtin.data.cache import TensorCache, Tensors, cache_key
from engine.builtin.data.inputs import is_whole, mask_facts, mask_pixels, picture_facts, picture_pixels, sizes
from engine.builtin.data.retouch import resized
from engine.builtin.families.base import ModelFamily


@dataclass(frozen=True)
class Batch:
    """The data of one micro-batch; the tensors have the batch as their first dimension.

    `latents` comes from the family's `encode_images`, `text` from its `encode_captions`; `text` is None if the text
    encoder is trained and must encode `captions` each time. `mask` is (batch, 1, height, width) in [0, 1] at the size
    of the prediction, or None if the training has no masks. `loss_weight` is (batch,), `names` the files.
    """

    latents: Tensors
    text: Tensors | None
    captions: list[str]
    loss_weight: Tensor
    names: list[str]
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.captions)


@dataclass
class Part:
    """One kind of encoding of a batch's pictures: its key for each picture, the entry if the cache has it, or else the
    pixels to be encoded, by the picture's place in the batch.
    """

    keys: list[str]
    found: list[Tensors | None]
    pixels: dict[int, Tensor]


@dataclass
class Reading:
    """What could be read of a batch without the model; `pixels` and `mask` are as a `Batch` has them."""

    items: list[CaptionedCrop]
    pictures: Part
    conditioning: Part | None
    text: list[Tensors | None]
    pixels: Tensor | None
    mask: Tensor | None


class Encoder:
    """Encodes the items of a plan. `read` may run in any thread, because it needs no model; `finish` may not."""

    def __init__(self, config: TrainConfig, family: ModelFamily, cache_text: bool) -> None:
        self.family = family
        self.cache = TensorCache(Path(config.cache_dir)) if config.latent_caching else None
        self.cache_text = cache_text
        self.masked = config.masked_training or family.takes_mask
        self.picture_identity = family.picture_identity()
        self.caption_identity = family.caption_identity() if cache_text else ""

    def read(self, items: list[CaptionedCrop]) -> Reading:
        """Raises BadData if a file is missing or has changed."""
        pictures = self._part([self.picture_key(item) for item in items], lambda place: picture_pixels(items[place]))

        def blanked(place: int) -> Tensor:
            return self._blanked(items[place], pictures.pixels.get(place))

        return Reading(
            items,
            pictures,
            self._part([self.conditioning_key(item) for item in items], blanked) if self.family.takes_mask else None,
            [self._get(self.caption_key(item.caption)) for item in items] if self.cache_text else [],
            torch.stack([picture_pixels(item) for item in items]) if self.family.trains_pixels else None,
            torch.stack([self._mask(item) for item in items]) if self.masked else None,
        )

    def finish(self, reading: Reading) -> Batch:
        """Encode what could not be read; with a cache, store it."""
        items, captions = reading.items, [item.caption for item in reading.items]
        latents = _stacked(self._encoded(reading.pictures))
        if reading.conditioning and reading.mask is not None:
            latents |= {"conditioning": _stacked(self._encoded(reading.conditioning))["mean"], "mask": reading.mask}
        if self.family.takes_sizes:
            latents["sizes"] = torch.tensor([sizes(item) for item in items], dtype=torch.float32)
        if reading.pixels is not None:
            latents["pixels"] = reading.pixels
        return Batch(
            latents=latents,
            text=_stacked(self._encoded_captions(captions, reading.text)) if self.cache_text else None,
            captions=captions,
            loss_weight=torch.tensor([item.picture.concept.loss_weight for item in items]),
            names=[str(item.picture.path) for item in items],
            mask=reading.mask,
        )

    def missing(self, items: Iterable[CaptionedCrop]) -> list[CaptionedCrop]:
        """The items of which the cache has not everything, each entry counted once."""
        known: set[str] = set()
        found = []
        for item in items:
            keys = set(self._keys(item)) - known
            known |= keys
            if self.cache and not all(self.cache.has(key) for key in keys):
                found.append(item)
        return found

    def picture_key(self, item: CaptionedCrop) -> str:
        return cache_key(picture=picture_facts(item), model=self.picture_identity)

    def conditioning_key(self, item: CaptionedCrop) -> str:
        if is_whole(item):
            return cache_key(blank=item.crop.size, model=self.picture_identity)
        return cache_key(picture=picture_facts(item), mask=mask_facts(item), model=self.picture_identity)

    def caption_key(self, caption: str) -> str:
        return cache_key(caption=caption, model=self.caption_identity)

    def _keys(self, item: CaptionedCrop) -> Iterator[str]:
        yield self.picture_key(item)
        if self.family.takes_mask:
            yield self.conditioning_key(item)
        if self.cache_text:
            yield self.caption_key(item.caption)

    def _part(self, keys: list[str], pixels_of: Callable[[int], Tensor]) -> Part:
        found = [self._get(key) for key in keys]
        return Part(keys, found, {place: pixels_of(place) for place, entry in enumerate(found) if entry is None})

    def _blanked(self, item: CaptionedCrop, pixels: Tensor | None) -> Tensor:
        """The picture, grey where its mask is white: what an inpainting model sees of it."""
        if is_whole(item):
            return torch.zeros(3, item.crop.size[1], item.crop.size[0])
        return (pixels if pixels is not None else picture_pixels(item)) * (1 - mask_pixels(item))

    def _mask(self, item: CaptionedCrop) -> Tensor:
        """(1, height, width) at the size of the prediction. Raises BadData."""
        width, height = (side // self.family.mask_scale for side in item.crop.size)
        if is_whole(item):
            return torch.ones(1, height, width)
        key = cache_key(mask=mask_facts(item), scale=self.family.mask_scale)
        if entry := self._get(key):
            return entry["mask"]
        return self._put(key, {"mask": resized(mask_pixels(item), (height, width))})["mask"]

    @torch.no_grad()
    def _encoded(self, part: Part) -> list[Tensors]:
        def encode(places: list[int]) -> Tensors:
            return self.family.encode_images(torch.stack([part.pixels[place] for place in places]))

        return self._completed(part.found, encode, part.keys)

    @torch.no_grad()
    def _encoded_captions(self, captions: list[str], found: list[Tensors | None]) -> list[Tensors]:
        def encode(places: list[int]) -> Tensors:
            return self.family.encode_captions([captions[place] for place in places])

        return self._completed(found, encode, [self.caption_key(caption) for caption in captions])

    def _completed(
        self, found: list[Tensors | None], encode: Callable[[list[int]], Tensors], keys: list[str]
    ) -> list[Tensors]:
        """The entries, with the missing ones encoded: into a cache one at a time, so that an entry never depends on
        what else was missing, and without a cache together, which a GPU does faster.
        """
        done = {place: entry or self._get(keys[place]) for place, entry in enumerate(found)}
        places = [place for place, entry in done.items() if entry is None]
        for part in [[place] for place in places] if self.cache else [places] if places else []:
            for place, entry in zip(part, _split(encode(part)), strict=True):
                done[place] = self._put(keys[place], entry)
        return [entry for entry in done.values() if entry is not None]

    def _get(self, key: str) -> Tensors | None:
        return self.cache.get(key) if self.cache else None

    def _put(self, key: str, entry: Tensors) -> Tensors:
        """The entry, stored if there is a cache. Raises DiskFull."""
        if self.cache:
            entry = {name: tensor.detach().cpu().contiguous() for name, tensor in entry.items()}
            self.cache.put(key, entry)
        return entry


def _stacked(entries: list[Tensors]) -> Tensors:
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def _split(batch: Tensors) -> list[Tensors]:
    """A batch's tensors as one entry for each item."""
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
