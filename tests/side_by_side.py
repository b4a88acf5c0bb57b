"""Which tests follow each other in one process where several test side by side: those that share a site."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

SITE = re.compile(r"^def site\((quiet|idle|training|busy)_site\b", re.MULTILINE)


class BySite(LoadFileScheduling):
    """A file's tests stay together, and so do the files with the same site of `tests/browser/conftest.py`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return site_of(self.config.rootpath / file) or file


@functools.cache
def site_of(file: Path) -> str:
    """The shared site that a file's tests look at, if any; a busy site is the training one while it trains."""
    found = SITE.search(file.read_text(encoding="utf-8"))
    return found[1].replace("busy", "training") if found else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> BySite | None:
    return BySite(config, log) if config.option.dist == "loadfile" else None
