"""From OneTrainer's errors to a sentence for the user that says what to do."""

import errno
import re
import sys
from collections import deque
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from engine.interface.errors import (
    BadData,
    DiskFull,
    MissingModel,
    NotFinite,
    OutOfMemory,
    SameAgain,
    TrainingError,
    Unreachable,
)

GIB = 1024**3
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "alloc_failed")
NO_SPACE = ("no space left", "pytorchstreamwriter failed writing")
NOT_FINITE = (
    "The training diverged ({error}), and no bad weights were saved: lower the learning rate, or train in FLOAT_32 or "
    "BFLOAT_16."
)
COULD_NOT_LOAD = re.compile(r"could not load (?P<what>model|LoRA|embedding): (?P<name>.*)", re.DOTALL)
LAST_OF_TRACEBACK = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|NotFound\w*)): (.+)$", re.MULTILINE)
TRIED_FIRST = "not an internal model"  # OneTrainer tries each kind of model in turn, and prints each failure
NO_HUB = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "MaxRetryError", "LocalEntryNotFoundError")
NO_HUB_TEXTS = ("couldn't connect to", "connection error", "name resolution", "is the repo gated", "timed out")
# The same settings meet them again; an OSError or another RuntimeError may come from a disk, a network or a GPU.
REPEATED = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)
REPEATED_TEXTS = (
    *(
        "size mismatch",
        "shapes cannot be multiplied",
        "must match the size",
        "expected scalar type",
        "invalid for input",
    ),
    *("not implemented for", "should be the same", "same dtype", "missing key", "unexpected key", "not supported"),
)
PRINTED_LINES = 400


class Printed:
    """A stream that keeps its last lines: OneTrainer prints why a model could not be loaded, and raises less."""

    def __init__(self, stream):
        self._stream = stream
        self._kept: deque[str] = deque(maxlen=PRINTED_LINES)

    def write(self, text):
        self._kept.extend(text.splitlines())
        return self._stream.write(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __str__(self):
        return "\n".join(self._kept)


@contextmanager
def explained(config=None):
    """Raise a TrainingError in place of a known error; other errors pass unchanged."""
    printed = Printed(sys.stdout)
    try:
        with redirect_stdout(printed):
            yield
    except TrainingError:
        raise
    except Exception as error:
        known = explain(error, config, str(printed))
        if known is None:
            raise
        raise known from error


def explain(error, config=None, printed=""):
    """The TrainingError for this error, or None; `printed` is what OneTrainer printed before."""
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
    if match := COULD_NOT_LOAD.search(str(error)):
        return not_loaded(match["what"], match["name"].strip(), config, printed)
    if is_hub_away(text):
        return Unreachable(f"The model hub cannot be reached ({text[:200]}): check the network, or use local files.")
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "UnidentifiedImageError":
        return missing_file(error, text, config)
    if is_met_again(error):
        return SameAgain(
            f"OneTrainer cannot train with these settings ({text[:300]}): change them in a copy of this run."
        )
    return None


def not_loaded(what, name, config, printed):
    """Named by its field: OneTrainer names the base model whichever part is missing."""
    causes = [f"{kind}: {text}"[:200] for kind, text in LAST_OF_TRACEBACK.findall(printed) if TRIED_FIRST not in text]
    absent = [(field, value) for field, value in models_of(config) if is_absent(value)]
    if absent:
        return MissingModel(
            "; ".join(f"{field}: {value} does not exist: choose an existing model" for field, value in absent)
        )
    field = next(
        (field for field, value in models_of(config) if value == name or f"'{value}'" in name), "base_model_name"
    )
    if any(is_hub_away(cause) for cause in causes):
        return Unreachable(f"{field}: {name} cannot be downloaded: check the network and the token ({causes[-1]}).")
    why = f" ({'; '.join(dict.fromkeys(causes))})" if causes else ""
    return MissingModel(f"{field}: could not load {what}: {name}{why}: choose an existing model of the chosen type.")


def models_of(config):
    """(field, name) of each model, part, LoRA and embedding that the config names."""
    if config is None:
        return
    for field in ("base_model_name", "lora_model_name"):
        yield from named(field, getattr(config, field, ""))
    for field in config.types:
        yield from named(f"{field}.model_name", getattr(getattr(config, field), "model_name", ""))
    for index, one in enumerate(getattr(config, "additional_embeddings", None) or ()):
        yield from named(f"additional_embeddings.{index}.model_name", getattr(one, "model_name", ""))


def named(field, name):
    if isinstance(name, str) and name:
        yield field, name


def is_absent(name):
    """True for a path without a file; a name of the hub has one slash, and an address is downloaded."""
    is_path = name.startswith(("/", ".", "~")) or name.count("/") != 1
    return is_path and "://" not in name and not Path(name).expanduser().exists()


def missing_file(error, text, config):
    file = str(getattr(error, "filename", "") or "")
    field = next((field for field, value in models_of(config) if file and file.startswith(value)), "")
    if field:
        return MissingModel(f"{field}: {file} is missing: choose a complete model.")
    return BadData(f"A picture or folder cannot be read ({text}): replace or remove it.")


def is_hub_away(text):
    return any(words in text for words in NO_HUB) or any(words in text.lower() for words in NO_HUB_TEXTS)


def is_met_again(error):
    """True if the same settings fail again, so that no retry helps; OneTrainer raises plain Exceptions for settings."""
    if type(error) is Exception or isinstance(error, (*REPEATED, NotImplementedError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in REPEATED_TEXTS)


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
