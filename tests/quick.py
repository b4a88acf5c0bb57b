"""Selects quick tests: they start no process, train nothing and open no browser. `make test-quick` runs them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
HELPERS = re.compile(r"^\s*from (tests(?:\.\w+)*) import ([\w, ]+)", re.MULTILINE)
SLOW_FOLDERS = {"browser", "faults", "integration", "onetrainer"}
# Names in a file whose tests start processes or sites, train, import torch, or send many random requests.
SLOW_NAMES = re.compile(
    r"\b(subprocess|multiprocessing|EngineProcess|GenericTrainer|ScriptedEngine|RedisServer|postgres_server|make_site|"
    r"playwright|schemathesis|import torch|from torch)\b"
)
# Files that walk through a grid (each address as each user, each request with each kind of nonsense, each field, long
# curves) or take long for other reasons: other quick files of their folders test the same subject.
WALKS = {
    "test_admin.py",
    "test_any_valid_config.py",
    "test_api_document.py",
    "test_api_nonsense.py",
    "test_api_parameters.py",
    "test_api_single_trainer.py",
    "test_broken_inputs.py",
    "test_cleanup.py",
    "test_demo_files.py",
    "test_demo_shapes.py",
    "test_demo_stars.py",
    "test_doors.py",
    "test_every_field.py",
    "test_fuzz_configs.py",
    "test_history_of_anything.py",
    "test_metric_summaries.py",
    "test_onetrainer_check.py",
    "test_pages_starting.py",
    "test_waiting_holds_no_thread.py",
    "test_wizard_pages.py",
}


def pytest_ignore_collect(collection_path: Path, config: Any) -> bool | None:
    """Do not even import slow files if only quick tests are requested."""
    is_slow = collection_path.name.startswith("test_") and collection_path.is_file() and not is_quick(collection_path)
    return True if config.option.markexpr == "quick" and is_slow else None


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: Any) -> None:
    if is_quick(item.path):
        item.add_marker("quick")


@functools.cache
def is_quick(file: Path) -> bool:
    """Decided by the file, its imports from `tests` and the fixtures of its folder: a new test need not be listed."""
    if SLOW_FOLDERS & set(file.parts) or file.name in WALKS:
        return False
    return not any(_names_slow_things(path) for path in (file, file.with_name("conftest.py")) if path.exists())


@functools.cache
def _names_slow_things(file: Path) -> bool:
    text = file.read_text()
    return bool(SLOW_NAMES.search(text)) or any(_names_slow_things(helper) for helper in _helpers(text))


def _helpers(text: str) -> Iterator[Path]:
    """The files of `from tests.module import name` and `from tests.folder import module`."""
    for module, names in HELPERS.findall(text):
        place = ROOT / module.replace(".", "/")
        files = [place.with_suffix(".py"), *(place / f"{name.strip()}.py" for name in names.split(","))]
        yield from (file for file in files if file.exists())
