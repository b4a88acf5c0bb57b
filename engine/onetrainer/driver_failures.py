"""From what OneTrainer raises to the sentence that a user reads, with the cure."""

import errno
from contextlib import contextmanager

from engine.interface.errors import BadData, DiskFull, MissingModel, NotFinite, OutOfMemory, TrainingError

NOT_FINITE = (
    "The training broke down ({error}), and nothing was written with the bad weights: lower the learning rate, or "
    "train in FLOAT_32 or BFLOAT_16."
)


@contextmanager
def explained():
    """Raise a TrainingError in place of what is understood; the rest goes through as it is."""
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        raise known from error


def explain(error):
    """The TrainingError that says the same, or None."""
    text = f"{type(error).__name__}: {error}"
    if "NaN" in str(error):
        return NotFinite(NOT_FINITE.format(error=error))
    if "OutOfMemory" in type(error).__name__ or "out of memory" in str(error).lower():
        return OutOfMemory(
            "The memory did not suffice: lower batch_size or resolution, or turn on gradient_checkpointing or "
            f"layer offloading ({str(error)[:200]})."
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC or "No space left" in str(error):
        return DiskFull("The disk is full: remove old backups or caches, then continue from the newest backup.")
    if "could not load model" in str(error):
        return MissingModel(f"{error}: name a model that is there and of the chosen type (the log says more).")
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "UnidentifiedImageError":
        return BadData(f"A picture or folder cannot be read ({text}): mend or remove it.")
    return None
