"""Encoded pictures and captions: read from the cache in any thread, or encoded by the family in the training thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.batches import CaptionedCrop
from engine.builtin.data.cache import TensorCache, Tensors, cache_key
from engine.builtin.data.formats import UnreadablePicture
from engine.builtin.data.masks import mask_path, read_mask
from engine.builtin.data.pictures import pixels, read_unchanged
from engine.builtin.data.retouch import cut_mask, resized, retouched
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadData


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
class Reading:
    """What could be read of a batch without the model: for each picture its encoding, or its pixels to be encoded; for
    each caption its encoding or None; the masks as `Batch` has them.
    """

    items: list[CaptionedCrop]
    latents: list[Tensors | None]
    pixels: dict[int, Tensor]  # by the picture's place in the batch
    text: list[Tensors | None]
    mask: Tensor | None


class Encoder:
    """Encodes the items of a plan. `read` may run in any thread, because it needs no model; `finish` may not."""

    def __init__(self, config: TrainConfig, family: ModelFamily, cache_text: bool) -> None:
        self.family = family
        self.cache = TensorCache(Path(config.cache_dir)) if config.latent_caching else None
        self.cache_text = cache_text
        self.masked = config.masked_training
        self.picture_identity = family.picture_identity()
        self.caption_identity = family.caption_identity() if cache_text else ""

    def read(self, items: list[CaptionedCrop]) -> Reading:
        """Raises BadData if a file is missing or has changed."""
        latents = [self._get(self.picture_key(item)) for item in items]
        return Reading(
            items,
            latents,
            {place: self.decode(item) for place, item in enumerate(items) if latents[place] is None},
            [self._get(self.caption_key(item.caption)) for item in items] if self.cache_text else [],
            torch.stack([self._mask(item) for item in items]) if self.masked else None,
        )

    def finish(self, reading: Reading) -> Batch:
        """Encode what could not be read."""
        items, captions = reading.items, [item.caption for item in reading.items]
        return Batch(
            latents=_stacked(self._encoded(reading)),
            text=_stacked(self._encoded_captions(captions, reading.text)) if self.cache_text else None,
            captions=captions,
            loss_weight=torch.tensor([item.picture.concept.loss_weight for item in items]),
            names=[str(item.picture.path) for item in items],
            mask=reading.mask,
        )

    def missing(self, items: Iterator[CaptionedCrop]) -> list[CaptionedCrop | str]:
        """The pictures and captions that the cache does not have, each once."""
        wanted: dict[str, CaptionedCrop | str] = {}
        for item in items:
            wanted.setdefault(self.picture_key(item), item)
            if self.cache_text:
                wanted.setdefault(self.caption_key(item.caption), item.caption)
        return [item for key, item in wanted.items() if self.cache and not self.cache.has(key)]

    def store(self, item: CaptionedCrop | str, decoded: Tensor | None) -> None:
        """Encode a picture's pixels, or a caption, into the cache: one at a time, so that an entry never depends on
        what else was missing.
        """
        if isinstance(item, str):
            self._encoded_captions([item], [None])
        elif decoded is not None:
            self._encoded(Reading([item], [None], {0: decoded}, [], None))

    def decode(self, item: CaptionedCrop) -> Tensor:
        """The pixels of a training picture, (3, height, width) in [-1, 1]. Raises BadData."""
        with _explained(item.picture.path):
            picture = read_unchanged(item.picture.path, item.picture.facts)
        return retouched(torch.from_numpy(pixels(picture, item.crop)), item.changes)

    def picture_key(self, item: CaptionedCrop) -> str:
        changes = item.changes
        colours = [changes.brightness, changes.contrast, changes.saturation, changes.hue]
        return cache_key(
            picture=item.picture.facts.pixels,
            cut=_cut(item),
            turned=changes.angle,
            colours=colours,
            model=self.picture_identity,
        )

    def caption_key(self, caption: str) -> str:
        return cache_key(caption=caption, model=self.caption_identity)

    def _mask(self, item: CaptionedCrop) -> Tensor:
        """(1, height, width) at the size of the prediction. Raises BadData."""
        key = self._mask_key(item)
        if entry := self._get(key):
            return entry["mask"]
        with _explained(mask_path(item.picture.path)):
            whole = torch.from_numpy(read_mask(item.picture))[None]
        width, height = (side // self.family.mask_scale for side in item.crop.size)
        return self._put(key, {"mask": resized(cut_mask(whole, item.crop, item.changes), (height, width))})["mask"]

    def _mask_key(self, item: CaptionedCrop) -> str:
        facts, changes = item.picture.mask or item.picture.facts, item.changes
        return cache_key(
            mask=[item.picture.mask and facts.pixels, facts.width, facts.height],
            cut=_cut(item),
            changes=[changes.angle, changes.shrink, changes.shrink_seed],
            scale=self.family.mask_scale,
        )

    @torch.no_grad()
    def _encoded(self, reading: Reading) -> list[Tensors]:
        def encode(places: list[int]) -> Tensors:
            return self.family.encode_images(torch.stack([reading.pixels[place] for place in places]))

        return self._completed(reading.latents, encode, lambda place: self.picture_key(reading.items[place]))

    @torch.no_grad()
    def _encoded_captions(self, captions: list[str], found: list[Tensors | None]) -> list[Tensors]:
        def encode(places: list[int]) -> Tensors:
            return self.family.encode_captions([captions[place] for place in places])

        return self._completed(found, encode, lambda place: self.caption_key(captions[place]))

    def _completed(
        self, found: list[Tensors | None], encode: Callable[[list[int]], Tensors], key_of: Callable[[int], str]
    ) -> list[Tensors]:
        """The entries, with the missing ones encoded: without a cache together, which a GPU does faster."""
        done = dict(enumerate(found))
        places = [place for place, entry in done.items() if entry is None]
        for part in [[place] for place in places] if self.cache else [places] if places else []:
            for place, entry in zip(part, _split(encode(part)), strict=True):
                done[place] = self._put(key_of(place), entry)
        return [entry for entry in done.values() if entry is not None]

    def _get(self, key: str) -> Tensors | None:
        return self.cache.get(key) if self.cache else None

    def _put(self, key: str, entry: Tensors) -> Tensors:
        """The entry, stored if there is a cache. Raises DiskFull."""
        if self.cache:
            entry = {name: tensor.detach().cpu().contiguous() for name, tensor in entry.items()}
            self.cache.put(key, entry)
        return entry


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise BadData with a sentence if the file cannot be read, or has changed."""
    try:
        yield
    except (UnreadablePicture, OSError) as error:
        raise BadData(f"{path} can no longer be read ({error}): start the run again.") from error


def _cut(item: CaptionedCrop) -> list[object]:
    crop = item.crop
    return [crop.scaled, crop.left, crop.top, crop.size, crop.flip]


def _stacked(entries: list[Tensors]) -> Tensors:
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}


def _split(batch: Tensors) -> list[Tensors]:
    """A batch's tensors as one entry for each item."""
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
