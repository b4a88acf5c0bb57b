"""Read a JSON object from a file that may be anything."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

from engine.interface.json_types import JsonObject

MOST_BYTES = 100_000_000  # the largest tokenizers have some 35 MB
MOST_DIGITS = 400  # more than the largest 64-bit floating-point number has


class BadJson(ValueError):
    """The file's problem, as text that follows its name in a sentence."""


class BadValue(ValueError):
    """JSON that can mean several things, or nothing; `reason` is the message without any of the text's content."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason + detail)
        self.reason = reason


def strict_json(text: str | bytes, most_digits: int = MOST_DIGITS) -> Any:
    """JSON that means one thing: no key twice, and only numbers that a config can have. Raises ValueError.

    RecursionError stands for endless nesting.
    """
    return json.loads(
        text,
        parse_int=lambda digits: _whole(digits, most_digits),
        parse_float=_number,
        parse_constant=_refuse_constant,
        object_pairs_hook=_object,
    )


def _whole(digits: str, most: int) -> int:
    if (count := len(digits.lstrip("-"))) > most:
        raise BadValue(f"a number has {count:,} digits, and at most {most} are read")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadValue("a number is larger than any that can be computed with", f": {digits[:40]}")
    return number


def _refuse_constant(name: str) -> None:
    raise BadValue(f'{name} is not a number in JSON; OneTrainer writes infinity as "inf"')


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _value in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadValue("it has a key more than once in one object; keep one of them", f": {twice[:60]!r}")
    return found


def read_object(path: Path, most_bytes: int = MOST_BYTES) -> JsonObject:
    """The JSON object in a regular file, with or without a byte-order mark. Raises BadJson for everything else."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for its writer
            raise BadJson("is not a regular file")
        if facts.st_size > most_bytes:
            raise BadJson(f"has more than {most_bytes // 1_000_000} MB")
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BadJson("does not exist") from error
    except OSError as error:
        raise BadJson(f"cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise BadJson("is nested too deeply") from error
    except BadJson:
        raise
    except ValueError as error:
        raise BadJson("is not JSON, or is damaged") from error
    if not isinstance(content, dict):
        raise BadJson("does not hold a JSON object")
    return content
