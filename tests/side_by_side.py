"""Distribution of tests over parallel processes: tests that share a site run in one process."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

SITE = re.compile(r"^def site\((quiet|idle|training|busy)_site\b", re.MULTILINE)


class BySite(LoadFileScheduling):
    """The tests of a file stay together, and so do files with the same site of `tests/browser/conftest.py`."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return site_of(self.config.rootpath / file) or file


@functools.cache
def site_of(file: Path) -> str:
    """The shared site that a file's tests use, if any; the busy site is the training site while it trains."""
    found = SITE.search(file.read_text(encoding="utf-8"))
    return found[1].replace("busy", "training") if found else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> BySite | None:
    return BySite(config, log) if config.option.dist == "loadfile" else None
