"""A SQLite database as the migrations leave it, kept between runs of the tests: migrating an empty one takes seconds.

It is created again after any change of the code or of the locked packages.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

PACKAGES = ("web", "system", "presets", "training", "samples", "worker", "operations", "onetrainer_site")


def prepared_database() -> Path:
    """Its file, which must be copied."""
    folder = settings.BASE_DIR / ".pytest_cache" / "migrated"
    file = folder / f"{_fingerprint()}.sqlite3"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a parallel test process may be creating it
        if not file.exists():
            for old in folder.glob("*.sqlite3"):
                old.unlink()
            _migrate(file)
    return file


def copy_prepared_database(to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(prepared_database(), to)


def _fingerprint() -> str:
    """Also of the models: Django writes their permissions into the database after a migration."""
    files = [*(file for package in PACKAGES for file in (settings.BASE_DIR / package).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in sorted([*files, settings.BASE_DIR / "requirements.lock"]):
        digest.update(str(file).encode() + file.read_bytes())
    return digest.hexdigest()[:20]


def _migrate(file: Path) -> None:
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=settings.BASE_DIR, env={**kept, "DATA_DIR": folder}, check=True)
        (Path(folder) / "db.sqlite3").rename(file)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Let Django take the prepared database, and only look whether all migrations are applied."""
    return _is_sqlite()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    if _is_sqlite():
        copy_prepared_database(Path(settings.DATABASES["default"]["TEST"]["NAME"]))


def _is_sqlite() -> bool:
    return "sqlite" in settings.DATABASES["default"]["ENGINE"]
