"""Try whether an engine process could be confined here: `python -m engine.guest.trial CLOSED OPEN`.

Prints JSON: `holds`, a `sentence`, and `reached`, the paths that were to be closed and could be opened nevertheless.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engine.guest.confinement import confine_to


def main(closed: str, opened: str) -> None:
    """`closed` are paths, separated by line breaks, that must be out of reach afterwards; `opened` is a folder."""
    paths = closed.splitlines()
    confinement = confine_to({"write": [opened], "private": paths})
    reached = [path for path in paths if can_read(Path(path))]
    (Path(opened) / "tried").write_text("")  # raises if too much is closed
    print(json.dumps({"holds": confinement.holds, "sentence": confinement.sentence, "reached": reached}))  # noqa: T201


def can_read(path: Path) -> bool:
    try:
        list(path.iterdir()) if path.is_dir() else path.read_bytes()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
