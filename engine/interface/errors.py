"""The errors that end a training, each one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Problem:
    """Something wrong with one field of a config; `field` is a dotted path such as `concepts.0.path`."""

    field: str
    message: str
    severity: str = "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


class TrainingError(Exception):
    """An expected failure: its message is the sentence that the user reads, and says what to do.

    `reason` sorts failures for programs: `training.progress.endings` lists all reasons and what follows from each.
    """

    reason = "failed"
    shows_traceback = False


class BadConfig(TrainingError):
    """The config has a value that is wrong or that this engine does not support."""

    reason = "bad_config"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in self.problems))


class BadData(TrainingError):
    """The pictures or captions cannot be used for training."""

    reason = "bad_data"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = [] if isinstance(problems, str) else list(problems)
        super().__init__(problems if isinstance(problems, str) else "; ".join(p.message for p in self.problems))


class MissingModel(TrainingError):
    """The base model is missing, or is not of the chosen type."""

    reason = "missing_model"


class Unreachable(TrainingError):
    """The model hub could not be reached; it may be reachable later."""

    reason = "unreachable"


class SameAgain(TrainingError):
    """A failure that nobody foresaw, and that the same settings would meet again; its traceback is reported too."""

    reason = "same_again"
    shows_traceback = True


class BadBackup(TrainingError):
    """The backup to resume from is not complete."""

    reason = "bad_backup"


class NotFinite(TrainingError):
    """The loss became NaN or infinite."""

    reason = "nan"


class OutOfMemory(TrainingError):
    """The GPU ran out of memory."""

    reason = "out_of_memory"


class OutOfMainMemory(TrainingError):
    """The machine ran out of main memory."""

    reason = "out_of_main_memory"


class DiskFull(TrainingError):
    """A write failed because the disk is full."""

    reason = "disk_full"


class NotWritten(TrainingError):
    """A written file is not complete."""

    reason = "not_written"
