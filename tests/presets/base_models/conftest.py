"""A hub without a network, with the demo's model in it, and an empty cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings as site

from tests.hub_server import HubServer, hub_server


@pytest.fixture
def hub(tmp_path, settings, monkeypatch) -> Iterator[HubServer]:
    shutil.copytree(site.DEMO_DIR / "model", tmp_path / "hub" / "tiny" / "stars")
    with hub_server(tmp_path / "hub") as server:
        settings.HF_ENDPOINT = server.url
        settings.CIVITAI_ENDPOINT = f"http://localhost:{server.port}"
        settings.FETCH_PRIVATE_HOSTS = ["127.0.0.1"]  # for the second address; the first two are allowed
        settings.DATA_DIR = tmp_path / "data"
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr("presets.base_models.download.PAUSES", (0.01,) * 5)
        yield server
