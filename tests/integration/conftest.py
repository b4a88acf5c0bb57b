"""A tiny model and data set, static files, and sites that leave nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from django.conf import settings

from tests.integration.site import Site


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    """The tiny model and its pictures, laid out as the demo is."""
    from tests.engine import tiny

    folder = tmp_path_factory.mktemp("demo")
    config = tiny.config_for(tiny.make_model(folder / "model"), tiny.make_pictures(folder / "dataset"), folder)
    for field in ("workspace_dir", "cache_dir", "backup_before_save"):
        del config[field]  # OneTrainer's defaults
    config |= {"output_model_destination": "models/gray.safetensors", "sample_after_unit": "EPOCH", "sample_after": 2}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def config(demo_folder):
    """A training that ends only when it is told to."""
    whole = json.loads((demo_folder / "config.json").read_text())
    return whole | {"epochs": 100_000, "sample_after_unit": "NEVER"}


@pytest.fixture(scope="session", autouse=True)
def collected_static_files():
    """As `make setup` leaves them; collected again where one has changed since."""
    manifest = settings.STATIC_ROOT / "staticfiles.json"
    collected_at = manifest.stat().st_mtime if manifest.exists() else 0
    static = settings.BASE_DIR / "static"
    if any(file.stat().st_mtime > collected_at for file in static.rglob("*") if file.is_file()):
        command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
        subprocess.run([*command, "--ignore", "vendor.mjs"], cwd=settings.BASE_DIR, check=True)
        manifest.touch()


@pytest.fixture(scope="module")
def make_site(demo_folder):
    """Make sites in folders of their own; whatever of them still runs at the end is killed."""
    root = Path(tempfile.mkdtemp(prefix="site-"))
    sites: list[Site] = []

    def make(name: str = "data", **environment: str) -> Site:
        folder = root / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        roots = f"{root}:{demo_folder}"
        sites.append(Site(folder, **({"DEMO_DIR": str(demo_folder), "ALLOWED_ROOTS": roots} | environment)))
        return sites[-1]

    yield make
    for site in sites:
        site.clean_up()
    shutil.rmtree(root)
