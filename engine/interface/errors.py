"""Why a training cannot go on, in one sentence that says what to do."""

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
    """An expected failure: its message is the sentence that the user reads, with the cure.

    `reason` sorts failures for programs: `training.progress.endings` has them all, with what comes of each.
    """

    reason = "failed"


class BadConfig(TrainingError):
    """The config asks for something that is wrong or that this engine does not do."""

    reason = "bad_config"

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in self.problems))


class BadData(TrainingError):
    """The pictures or captions cannot be trained on."""

    reason = "bad_data"

    def __init__(self, problems: Sequence[Problem] | str):
        self.problems = [] if isinstance(problems, str) else list(problems)
        super().__init__(problems if isinstance(problems, str) else "; ".join(p.message for p in self.problems))


class MissingModel(TrainingError):
    """The base model is not there, or is not of the chosen type."""

    reason = "missing_model"


class BadBackup(TrainingError):
    """The backup to continue from is not whole."""

    reason = "bad_backup"


class NotFinite(TrainingError):
    """The loss became NaN or infinite."""

    reason = "nan"


class OutOfMemory(TrainingError):
    """The GPU's memory did not suffice."""

    reason = "out_of_memory"


class OutOfMainMemory(TrainingError):
    """The machine's main memory did not suffice."""

    reason = "out_of_main_memory"


class DiskFull(TrainingError):
    """A write failed because the disk is full."""

    reason = "disk_full"


class NotWritten(TrainingError):
    """What was written is not what should have been."""

    reason = "not_written"
