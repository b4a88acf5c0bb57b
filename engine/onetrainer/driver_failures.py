"""From OneTrainer's errors to a sentence for the user that says what to do."""

import errno
import sys
from contextlib import contextmanager

from engine.interface.errors import BadData, DiskFull, MissingModel, NotFinite, OutOfMemory, TrainingError

GIB = 1024**3
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
NO_SPACE = ("no space left", "pytorchstreamwriter failed writing")
NOT_FINITE = (
    "The training diverged ({error}), and no bad weights were saved: lower the learning rate, or train in FLOAT_32 or "
    "BFLOAT_16."
)


@contextmanager
def explained():
    """Raise a TrainingError in place of a known error; other errors pass unchanged."""
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
    """The TrainingError for this error, or None."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and "NaN" in str(error):
        return NotFinite(NOT_FINITE.format(error=error))
    if is_out_of_memory(error):
        return OutOfMemory(
            f"Out of memory{peak()}: lower batch_size or resolution, or turn on gradient_checkpointing "
            f"or layer offloading ({str(error)[:200]})."
        )
    if is_disk_full(error):
        return DiskFull("The disk is full: remove old backups or caches, then resume from the newest backup.")
    if "could not load model" in str(error):
        return MissingModel(f"{error}: choose an existing model of the chosen type (the log has details).")
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "UnidentifiedImageError":
        return BadData(f"A picture or folder cannot be read ({text}): replace or remove it.")
    return None


def is_out_of_memory(error):
    """Of a GPU or of the machine."""
    named = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
    return named or any(words in str(error).lower() for words in NO_MEMORY)


def peak():
    """The GPU memory that this process took at most, for the message; empty if torch does not know."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ""
    try:
        taken, total = torch.cuda.max_memory_allocated() / GIB, torch.cuda.mem_get_info()[1] / GIB
    except RuntimeError:  # CUDA may no longer answer
        return ""
    return f" (this run took up to {taken:.1f} GB of {total:.1f} GB)"


def is_disk_full(error):
    """Also if a library reports it by its text alone."""
    numbered = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return numbered or any(words in str(error).lower() for words in NO_SPACE)
