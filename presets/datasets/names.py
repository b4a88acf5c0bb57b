"""The names of files that are sent: made safe, flat, and unique within a data set."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from engine.builtin.reading.scan import CLUTTER, SYSTEM_FOLDERS, UNUSABLE

LONGEST = 180  # bytes of a name, so that "-masklabel.png" and a temporary name fit too
STRANGE = re.compile(r'[<>:"|?*\\]')  # not possible in file names on Windows, from which sets are copied


def flat_name(path: str) -> str:
    """The file's name without folders; a folder within the sent folder becomes the name's beginning, so that two
    pictures with one name stay apart and captions stay with their pictures. Empty if no name is left.
    """
    parts = [part.strip() for part in path.replace("\\", "/").split("/")]
    parts = [STRANGE.sub("_", UNUSABLE.sub("_", part)) for part in parts if part not in ("", ".", "..")]
    name = "_".join(parts).lstrip(".")
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    return f"{_shortened(stem, LONGEST - len(suffix.encode()))}{suffix}" if stem else ""


def _shortened(text: str, most: int) -> str:
    return text.encode()[: max(1, most)].decode(errors="ignore").rstrip()


def is_clutter(path: str) -> bool:
    """True for files that systems and archives add, which nobody means to send."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return (
        not parts
        or parts[-1].lower() in CLUTTER
        or any(part != ".." and (part.startswith(".") or part.lower() in SYSTEM_FOLDERS) for part in parts)
    )


def leads_outside(path: str) -> bool:
    """True if the path is absolute or goes up, as in an archive that is made to overwrite other files."""
    parts = path.replace("\\", "/").split("/")
    return path.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":")
