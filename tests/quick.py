"""Selects quick tests: they start no process, train nothing and open no browser. `make test-quick` runs them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest

SLOW_FOLDERS = {"browser", "faults", "integration", "onetrainer"}
# Names in a file whose tests start processes or sites, train, or send many random requests.
SLOW_NAMES = re.compile(
    r"\b(subprocess|multiprocessing|EngineProcess|GenericTrainer|ScriptedEngine|RedisServer|postgres_server|make_site|"
    r"playwright|schemathesis|tests\.engine\.tiny|tests\.worker\.conftest)\b"
)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: Any) -> None:
    if is_quick(item.path):
        item.add_marker("quick")


@functools.cache
def is_quick(file: Path) -> bool:
    """Decided by the file and by the fixtures of its folder, so that a new test need not be listed."""
    if SLOW_FOLDERS & set(file.parts):
        return False
    texts = [path.read_text() for path in (file, file.with_name("conftest.py")) if path.exists()]
    return not any(SLOW_NAMES.search(text) for text in texts)
