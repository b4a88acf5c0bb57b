"""The reports of a check before a start, and its result."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine.interface.errors import BadConfig, BadData, Problem
from engine.interface.json_types import JsonObject

Report = Callable[[str, int, int], None]


@dataclass
class PreflightResult:
    """The problems of a config, and the memory, disk space and batches that its run is expected to take."""

    problems: list[Problem] = field(default_factory=list)
    estimate: JsonObject = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        return {"problems": [problem.to_dict() for problem in self.problems], "estimate": self.estimate}


@contextmanager
def failures_as_problems(problems: list[Problem], setting: str, what: str) -> Iterator[None]:
    """Add an error of this setting for any failure of one part of the check: a crash must never look like success.

    `what` names the files that this part reads, as a sentence's object. The traceback goes to stderr, for the log.
    """
    try:
        yield
    except (BadConfig, BadData) as error:
        problems += error.problems or [Problem(setting, str(error))]
    except OSError as error:
        where = error.filename or what
        problems.append(
            Problem(setting, f"{where} cannot be read ({error.strerror or error}); check the path and its permissions")
        )
    except Exception as error:  # noqa: BLE001  whatever the files hold, the answer is a sentence
        traceback.print_exc(file=sys.stderr)
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200].rstrip(": ")
        problems.append(Problem(setting, f"{what} cannot be checked ({reason}); replace the files, or choose others"))
