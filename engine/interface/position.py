"""Where a training continues whose data have changed since its backup: the same rule for both engines."""

from __future__ import annotations

from dataclasses import dataclass

from engine.interface.progress import TrainProgress


@dataclass(frozen=True)
class Placement:
    """Where a training continues; `notice` says why that is not the backup's own position, or is empty."""

    progress: TrainProgress
    notice: str = ""


def place_in_other_data(progress: TrainProgress, changes: str, epochs: int) -> Placement:
    """Place the progress of a backup in data with these changes, which are words; without changes it stays.

    A position within an epoch has a meaning only in the same data. In other data the training continues with the next
    epoch, so that each epoch to come is trained completely; the last epoch is trained from its beginning.
    """
    if not changes or progress.epoch >= epochs:
        return Placement(progress)
    begun = f"The training data has changed since the backup ({changes})"
    if progress.epoch_step == 0:
        return Placement(progress, f"{begun}: training continues with epoch {progress.epoch + 1} of the present data.")
    placed = progress.copy()
    if progress.epoch + 1 == epochs:
        placed.epoch_step = placed.epoch_sample = 0
        how = f"epoch {epochs}, the last, is trained from its beginning with the present data"
    else:
        placed.next_epoch()
        left_out, following = progress.epoch + 1, placed.epoch + 1
        how = f"the rest of epoch {left_out} is left out, and training continues with epoch {following}"
    return Placement(placed, f"{begun}: {how}.")
