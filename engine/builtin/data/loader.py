"""Batches in the order of the plan, read ahead in other threads."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.batches import CaptionedCrop, EpochPlan
from engine.builtin.data.concepts import Survey, survey
from engine.builtin.data.encodings import Batch, Encoder
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.data.prefetch import prefetched
from engine.builtin.families.base import ModelFamily
from engine.interface.errors import BadData, Problem


class BatchLoader:
    """Loads an epoch's batches: `prepare()` first, then `epoch()`."""

    def __init__(self, config: TrainConfig, family: ModelFamily, cache_text: bool) -> None:
        self.config = config
        self.family = family
        self.plan = EpochPlan(config, [], family.size_multiple)
        self.warnings: list[Problem] = []
        self._index = PictureIndex(Path(config.cache_dir))
        self._encoder = Encoder(config, family, cache_text)

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

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch]:
        """The epoch's batches from number `start` on; earlier batches are not even read.

        Files are read and decoded in `dataloader_threads` other threads, while the batch before is trained; the model
        encodes in this thread alone. Close the iterator to end the threads. Raises BadData.
        """
        items = self.plan.batches(epoch)[start:]
        with closing(prefetched(self._encoder.read, items, self.config.dataloader_threads)) as readings:
            for reading in readings:
                yield self._encoder.finish(reading)

    def _lay_out(self, found: Survey) -> None:
        if errors := [problem for problem in found.problems if problem.is_error]:
            raise BadData(errors)
        plan = EpochPlan(self.config, found.pictures, self.family.size_multiple)
        self.plan, self.warnings = plan, [*found.problems, *plan.problems()]
        if errors := [problem for problem in self.warnings if problem.is_error]:
            raise BadData(errors)

    def _fill_cache(self, report: Callable[[int, int], None], should_stop: Callable[[], object]) -> bool:
        """Encode the missing items, one at a time, so that a stop is noticed soon; others are read beside."""
        missing = [[item] for item in self._encoder.missing(self.plan.variants())]
        with closing(prefetched(self._encoder.read, missing, self.config.dataloader_threads)) as readings:
            for done, reading in enumerate(readings, start=1):
                if should_stop():
                    return False
                self._encoder.finish(reading)
                report(done, len(missing))
        return True
