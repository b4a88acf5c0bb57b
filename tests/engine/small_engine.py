"""An engine whose template imports almost nothing, so that each test can have its own."""

from __future__ import annotations

import textwrap
from pathlib import Path

from engine.engines import ROOT

PACKAGE = "small"


def make_small_engine(folder: Path, prepare: str = "pass") -> Path:
    """A project folder with our `engine`, and in it a package with this code as its `prepare()`."""
    for file in (ROOT / "engine").iterdir():
        link = folder / "engine" / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists() and file.name != "__pycache__":
            link.symlink_to(file)
    module = folder / "engine" / PACKAGE / "prepare.py"
    module.parent.mkdir(exist_ok=True)
    text = "def prepare():\n" + textwrap.indent(prepare, "    ")
    if not module.exists() or module.read_text() != text:
        module.write_text(text)
    return folder
