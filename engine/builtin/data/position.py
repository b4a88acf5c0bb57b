"""The position of a training in its data, held against the data that are there when it continues. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from engine.builtin.data.batches import EpochPlan
from engine.interface.json_types import JsonObject
from engine.interface.position import Placement, place_in_other_data
from engine.interface.progress import TrainProgress


@dataclass(frozen=True)
class DataLayout:
    """What decides which batch is the n-th of an epoch; `identity` is a sha256 over all of it."""

    identity: str
    pictures: int
    batches: int  # in an epoch
    batch_size: int
    size_multiple: int

    @classmethod
    def of(cls, plan: EpochPlan) -> DataLayout:
        return cls(
            _identity(plan),
            sum(len(pictures) for pictures in plan.groups.values()),
            len(plan),
            plan.config.batch_size,
            plan.size_multiple,
        )

    def to_dict(self) -> JsonObject:
        return asdict(self)


def _identity(plan: EpochPlan) -> str:
    """Of pictures by content, in their order, with their sizes and repeats; names and captions do not count."""
    groups = [
        [group, [[share, [picture.facts.digest for picture in pictures]] for pictures, share in plan.shares[group]]]
        for group in plan.groups
    ]
    facts = [plan.config.seed, plan.config.batch_size, groups]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def place(progress: TrainProgress, saved: JsonObject | None, present: DataLayout, epochs: int) -> Placement:
    """Place the progress of a backup in the present data; `saved` is the layout in the backup, None if it is older."""
    return place_in_other_data(progress, ", ".join(_changes(progress, saved, present)), epochs)


def _changes(progress: TrainProgress, saved: JsonObject | None, present: DataLayout) -> Iterator[str]:
    """What differs, in words; nothing if the data are the same."""
    if saved is None:
        yield from _changes_since_old_backup(progress, present)
        return
    if saved.get("identity") == present.identity:
        return
    names = {"pictures": "{} pictures", "batches": "{} steps in an epoch", "batch_size": "batch_size {}"}
    now = present.to_dict()
    different = [name for name in names if saved.get(name) != now[name]]
    yield from (f"{names[name].format(now[name])} instead of {saved.get(name)}" for name in different)
    if not different:
        yield "other pictures, sizes or repeats"


def _changes_since_old_backup(progress: TrainProgress, present: DataLayout) -> Iterator[str]:
    """A backup without its layout shows a change by its counts alone."""
    if progress.epoch_step >= present.batches or progress.global_step != (
        progress.epoch * present.batches + progress.epoch_step
    ):
        yield f"{present.batches} steps in an epoch do not fit step {progress.global_step} of the backup"
