"""Batches: encoded pictures and captions, from the cache or afresh, in the order that the plan lays out."""

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
    """What one micro-batch trains on; the tensors have the batch as their first dimension.

    `latents` is what the family's `encode_images` gives, `text` what its `encode_captions` gives, or None where the
    text encoder is trained and has to encode `captions` anew. `loss_weight` is (batch,), `names` the files.
    """

    latents: Tensors
    text: Tensors | None
    captions: list[str]
    loss_weight: torch.Tensor
    names: list[str]

    def __len__(self) -> int:
        return len(self.captions)


class BatchLoader:
    """Serves an epoch's batches: `prepare()` first, then `epoch()`."""

    def __init__(self, config: TrainConfig, family: ModelFamily, cache_text: bool):
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
        """Look into every file, then encode what the cache lacks; `report(done, total)` counts files, then encodings.

        Returns False where `should_stop()` ended it early. Raises BadData with everything that is wrong.
        """
        found = survey(self.config, self._index, report, should_stop)
        self._index.save()
        if found.stopped:
            return False
        self._lay_out(found)
        return not self.config.latent_caching or self._fill_cache(report, should_stop)

    def batches(self, epoch: int) -> list[list[CaptionedCrop]]:
        """What each of the epoch's batches holds."""
        return self.plan.batches(epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number `start` on; those before it are not even read."""
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
        """Encode one at a time: results then never depend on what else was missing, and a stop is seen soon."""
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
        """Encode one picture. Raises BadData where its file is gone or is another by now."""
        try:
            picture = read_unchanged(item.picture.path, item.picture.facts)
        except (UnreadablePicture, OSError) as error:
            raise BadData(f"{item.picture.path} cannot be read any more ({error}); start the run again.") from error
        batch = torch.from_numpy(pixels(picture, item.crop)).unsqueeze(0)
        return {name: tensor[0] for name, tensor in self.family.encode_images(batch).items()}

    @torch.no_grad()
    def _encode_caption(self, caption: str) -> Tensors:
        return {name: tensor[0] for name, tensor in self.family.encode_captions([caption]).items()}


def _stacked(entries: list[Tensors]) -> Tensors:
    return {name: torch.stack([entry[name] for entry in entries]) for name in entries[0]}
