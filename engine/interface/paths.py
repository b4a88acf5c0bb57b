"""Questions about paths that a config names, which may be anything."""

from __future__ import annotations

from pathlib import Path


def exists(path: str) -> bool:
    """True for an existing file or folder; False also for a name that no file can have, where `Path.exists` raises."""
    try:
        return Path(path).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # too long, not permitted, an unknown user's home, not encodable
        return False
