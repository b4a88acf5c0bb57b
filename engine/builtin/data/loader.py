"""Batches: encoded pictures and captions, from the cache or newly encoded, in the order of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.batches import CaptionedCrop, EpochPlan
from engine.builtin.data.cache import TensorCache, Tensors, cache_key
from engine.builtin.data.concepts import Survey, survey
from engine.builtin.data.pictures import PictureIndex, UnreadablePicture, pixels, read_unchanged
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadData, Problem


@dataclass(frozen=True)
class Batch:
    """The data of one micro-batch; the tensors have the batch as their first dimension.

    `latents` comes from the family's `encode_images`, `text` from its `encode_captions`; `text` is None if the text
    encoder is trained and must encode `captions` each time. `loss_weight` is (batch,), `names` the files.
    """

    latents: Tensors
    text: Tensors | None
    captions: list[str]
    loss_weight: torch.Tensor
    names: list[str]

    def __len__(self) -> int:
        return len(self.captions)


class BatchLoader:
    """Loads an epoch's batches: `prepare()` first, then `epoch()`."""

    def __init__(self, config: TrainConfig, family: ModelFamily, cache_text: bool) -> None:
        self.config = config
        self.family = family
        self.cache_text = cache_text
        self.plan = EpochPlan(config, [], family.size_multiple)
        self.warnings: list[Problem] = []
        self._index = PictureIndex(Path(config.cache_dir))
        self._cache = TensorCache(Path(config.cache_dir))
        self._identity = family.cache_identity()

    def __len__(self) -> int:
        """Batches in an epoch, the same for every epoch."""
        return len(self.plan)

    def prepare(self, report: Callable[[int, int], None], should_stop: Callable[[], object] = lambda: False) -> bool:
        """Check every file, then encode the missing entries; `report(done, total)` counts files, then encodings.

        Returns False if `should_stop()` ended it early. Raises BadData with every problem.
        """
        found = survey(self.config, self._index, report, should_stop)
        self._index.save()
        if found.stopped:
            return False
        self._lay_out(found)
        return not self.config.latent_caching or self._fill_cache(report, should_stop)

    def batches(self, epoch: int) -> list[list[CaptionedCrop]]:
        """The data of each of the epoch's batches."""
        return self.plan.batches(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `start` on; earlier batches are not even read."""
        for items in self.plan.batches(epoch)[start:]:
            yield self._collate(items)

    def _lay_out(self, found: Survey) -> None:
        plan = EpochPlan(self.config, found.pictures, self.family.size_multiple)
        problems = found.problems
        if not any(problem.is_error for problem in problems):
            problems = [*problems, *plan.problems()]
        if errors := [problem for problem in problems if problem.is_error]:
            raise BadData(errors)
        self.plan, self.warnings = plan, problems

    def _fill_cache(self, report: Callable[[int, int], None], should_stop: Callable[[], object]) -> bool:
        """Encode one item at a time: results then never depend on other missing entries, and a stop is noticed soon."""
        missing: dict[str, Callable[[], Tensors]] = {}
        for item in self.plan.variants():
            missing.setdefault(self._latents_key(item), lambda item=item: self._latents(item))  # type: ignore[misc]
            if self.cache_text:
                missing.setdefault(
                    self._text_key(item.caption),
                    lambda item=item: self._text(item.caption),  # type: ignore[misc]
                )
        missing = {key: make for key, make in missing.items() if not self._cache.has(key)}
        for done, make in enumerate(missing.values(), start=1):
            if should_stop():
                return False
            make()
            report(done, len(missing))
        return True

    def _collate(self, items: list[CaptionedCrop]) -> Batch:
        return Batch(
            latents=_stacked([self._latents(item) for item in items]),
            text=_stacked([self._text(item.caption) for item in items]) if self.cache_text else None,
            captions=[item.caption for item in items],
            loss_weight=torch.tensor([item.picture.concept.loss_weight for item in items]),
            names=[str(item.picture.path) for item in items],
        )

    def _latents(self, item: CaptionedCrop) -> Tensors:
        if not self.config.latent_caching:
            return self._encode(item)
        return self._cache.get_or_make(self._latents_key(item), lambda: self._encode(item))

    def _text(self, caption: str) -> Tensors:
        if not self.config.latent_caching:
            return self._encode_caption(caption)
        return self._cache.get_or_make(self._text_key(caption), lambda: self._encode_caption(caption))

    def _latents_key(self, item: CaptionedCrop) -> str:
        crop = item.crop
        cut = [crop.scaled, crop.left, crop.top, crop.size, crop.flip]
        return cache_key(picture=item.picture.facts.digest, cut=cut, model=self._identity)

    def _text_key(self, caption: str) -> str:
        return cache_key(caption=caption, model=self._identity)

    @torch.no_grad()
    def _encode(self, item: CaptionedCrop) -> Tensors:
        """Encode one picture. Raises BadData if its file is missing or has changed."""
        try:
            picture = read_unchanged(item.picture.path, item.picture.facts)
        except (UnreadablePicture, OSError) as error:
            raise BadData(f"{item.picture.path} can no longer be read ({error}): start the run again.") from error
        batch = torch.from_numpy(pixels(picture, item.crop)).unsqueeze(0)
        return {name: tensor[0] for name, tensor in self.family.encode_images(batch).items()}

    @torch.no_grad()
    def _encode_caption(self, caption: str) -> Tensors:
        return {name: tensor[0] for name, tensor in self.family.encode_captions([caption]).items()}


def _stacked(entries: list[Tensors]) -> Tensors:
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}
