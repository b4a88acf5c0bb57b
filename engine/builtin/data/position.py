"""The position of a training in its data, held against the data that are there when it continues. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from engine.builtin.data.batches import EpochPlan
from engine.interface.json_types import JsonObject
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


@dataclass(frozen=True)
class Placement:
    """Where a training continues; `notice` says why that is not the backup's own position, or is empty."""

    progress: TrainProgress
    notice: str = ""


def place(progress: TrainProgress, saved: JsonObject | None, present: DataLayout, epochs: int) -> Placement:
    """Place the progress of a backup in the present data; `saved` is the layout in the backup, None if it is older.

    A position within an epoch has a meaning only in the same data. In other data the training continues with the next
    epoch, so that each epoch to come is trained completely; the last epoch is trained from its beginning.
    """
    changes = list(_changes(progress, saved, present))
    if not changes or progress.epoch >= epochs:
        return Placement(progress)
    begun = f"The training data has changed since the backup ({', '.join(changes)})"
    if progress.epoch_step == 0:
        return Placement(progress, f"{begun}: training continues with epoch {progress.epoch + 1} of the present data.")
    is_last = progress.epoch + 1 == epochs
    placed = progress.copy()
    if is_last:
        placed.epoch_step = placed.epoch_sample = 0
        how = f"epoch {epochs}, the last, is trained from its beginning with the present data"
    else:
        placed.next_epoch()
        how = (
            f"the rest of epoch {progress.epoch + 1} is left out, and training continues with epoch {placed.epoch + 1}"
        )
    return Placement(placed, f"{begun}: {how}.")


def _changes(progress: TrainProgress, saved: JsonObject | None, present: DataLayout) -> Iterator[str]:
    """What differs, in words; nothing if the data are the same."""
    if saved is None:
        yield from _changes_since_old_backup(progress, present)
        return
    if saved.get("identity") == present.identity:
        return
    names = {"pictures": "pictures", "batches": "steps in an epoch", "batch_size": "as batch_size"}
    now = present.to_dict()
    different = [name for name in names if saved.get(name) != now[name]]
    yield from (f"{now[name]} {names[name]} instead of {saved.get(name)}" for name in different)
    if not different:
        yield "other pictures, sizes or repeats"


def _changes_since_old_backup(progress: TrainProgress, present: DataLayout) -> Iterator[str]:
    """A backup without its layout shows a change by its counts alone."""
    if progress.epoch_step >= present.batches or progress.global_step != (
        progress.epoch * present.batches + progress.epoch_step
    ):
        yield f"{present.batches} steps in an epoch do not fit step {progress.global_step} of the backup"
