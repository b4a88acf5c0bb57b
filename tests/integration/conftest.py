"""A tiny model and data set, static files, and sites that leave nothing behind."""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.integration.demo_folder import make_demo_folder, training_config
from tests.integration.nursery import fits, open_nursery
from tests.integration.site import Site
from tests.prepared_database import copy_prepared_database

FIRST_START = """
import django
django.setup()
from django.core.management import call_command
from operations.serve.first_start import admin_account, first_start
call_command("migrate", verbosity=0)
first_start(admin_account(), with_demo=False)
call_command("create_token", "admin")
"""


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """The tiny model and its pictures, laid out as the demo is."""
    return make_demo_folder(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def config(demo_folder):
    """A config for a training that only ends on request."""
    return training_config(demo_folder)


@pytest.fixture(scope="session", autouse=True)
def collected_static_files():
    """Static files as after `make setup`; collected again if a file has changed, or differs in a copied folder."""
    manifest, static = settings.STATIC_ROOT / "staticfiles.json", settings.BASE_DIR / "static"

    def is_collected(file: Path) -> bool:
        copy = settings.STATIC_ROOT / file.relative_to(static)
        if not (manifest.exists() and copy.exists()):
            return False
        return file.stat().st_mtime <= manifest.stat().st_mtime and filecmp.cmp(file, copy)

    with (settings.BASE_DIR / "manage.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a parallel test process may be collecting them
        files = (file for file in static.rglob("[!.]*") if file.is_file() and file.name != "vendor.mjs")
        if not all(map(is_collected, files)):
            command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
            subprocess.run([*command, "--ignore", "vendor.mjs"], cwd=settings.BASE_DIR, check=True)
            manifest.touch()


@pytest.fixture(scope="session")
def nursery():
    with open_nursery() as variables:
        yield variables


@pytest.fixture(scope="session")
def begun(tmp_path_factory, demo_folder, nursery):
    """A site after its first start, without the demo; it has a token.

    Parallel test processes share it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "begun"
    folder.mkdir(exist_ok=True)
    site, token = Site(folder / "data", DEMO_DIR=str(demo_folder)), folder / "token"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not token.exists():
            copy_prepared_database(site.folder / "db.sqlite3")
            token.write_text(begin(site))
    site.token, site.nursery = token.read_text(), nursery
    return site


def begin(site: Site) -> str:
    """Return the admin's new token."""
    command = [sys.executable, "-c", FIRST_START]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=site.environment, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().split()[-1]


@contextmanager
def sites_of(demo_folder: Path, begun: Site) -> Iterator[Callable[..., Site]]:
    """Create sites in separate folders; all their processes are killed at the end.

    A site is a copy of the prepared site. A new site has had no first start, and a bare site has no database either.
    """
    root = Path(tempfile.mkdtemp(prefix="site-"))
    sites: list[Site] = []

    def make(name: str = "data", new: bool = False, bare: bool = False, **environment: str) -> Site:
        folder = root / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        roots = f"{root}:{demo_folder}"
        site = Site(folder, **({"DEMO_DIR": str(demo_folder), "ALLOWED_ROOTS": roots} | environment))
        if fits(environment) and not (new or bare):
            site.environment |= begun.nursery
        if new:
            copy_prepared_database(folder / "db.sqlite3")
        elif not bare and not folder.exists():
            shutil.copytree(begun.folder, folder)
            site.token = begun.token
        sites.append(site)
        return site

    try:
        yield make
    finally:
        for site in sites:
            site.clean_up()
        shutil.rmtree(root)


@pytest.fixture(scope="module")
def make_site(demo_folder, begun):
    with sites_of(demo_folder, begun) as make:
        yield make
