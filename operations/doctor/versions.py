"""The installed versions, and whether they are the tested ones."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
import tomllib
from collections.abc import Iterator

import psutil
from django.conf import settings

from operations.doctor.finding import Asked, Finding, fine, look_at, wrong

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;#]+)", re.M)


def look(asked: Asked) -> Iterator[Finding]:
    yield fine(f"OneTrainer Web UI {own_version()}{_commit()} on Python {platform.python_version()}.")
    yield fine(f"{platform.platform()}, {platform.machine()}, {_memory()}.")
    if sys.version_info < (3, 11):  # noqa: UP036  an environment made by hand may be older
        yield wrong(f"Python {platform.python_version()} is too old.", "set up again with Python 3.11 or newer")
    yield from _packages()


def own_version() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def _commit() -> str:
    """The checked-out commit, read without git; empty if the program was not installed by git."""
    git = settings.BASE_DIR / ".git"
    if not (git / "HEAD").is_file():
        return ""
    head = (git / "HEAD").read_text().strip()
    reference = git / head.removeprefix("ref: ")
    commit = reference.read_text().strip() if head.startswith("ref: ") and reference.is_file() else head
    return f" ({commit[:10]})" if re.fullmatch(r"[0-9a-f]{40}", commit) else ""


def _memory() -> str:
    return f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1024**3:.1f} GiB of memory"


def _packages() -> Iterator[Finding]:
    """Read from the packages' metadata: importing them would cost seconds, and may fail."""
    wanted = dict(PINNED.findall((settings.BASE_DIR / "requirements.txt").read_text()))
    present = {name: _version(name) for name in wanted}
    missing = [name for name, version in present.items() if version is None]
    others = [
        f"{name} {present[name]} (tested: {wanted[name]})" for name in wanted if _differs(present[name], wanted[name])
    ]
    if missing:
        yield wrong(f"These packages are not installed: {', '.join(missing)}.", "run `make setup`")
    if others:
        yield look_at(f"Versions other than the tested ones: {', '.join(others)}.", "run `make setup`")
    yield fine(", ".join(f"{name} {version}" for name, version in present.items() if version))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _differs(present: str | None, wanted: str) -> bool:
    return present is not None and present.partition("+")[0] != wanted  # torch 2.13.0+cpu is torch 2.13.0
