"""Read a JSON object from a file that may be anything."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from engine.interface.json_types import JsonObject

MOST_BYTES = 100_000_000  # the largest tokenizers have some 35 MB


class BadJson(ValueError):
    """The file's problem, as text that follows its name in a sentence."""


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
