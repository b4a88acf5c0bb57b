"""The site can be installed as an app."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles import finders
from PIL import Image

pytestmark = pytest.mark.django_db


@pytest.fixture
def manifest(client):
    response = client.get("/manifest.webmanifest")
    assert response.headers["Content-Type"] == "application/manifest+json"
    return response.json()


def test_the_manifest_meets_the_conditions_for_installation(manifest):
    assert manifest["name"] and manifest["start_url"] == "/" and manifest["display"] == "standalone"
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}


def test_each_icon_has_the_size_in_the_manifest(manifest):
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            size = icon["sizes"].partition("x")[0]
            assert Image.open(finders.find(f"img/icon-{size}.png")).size == (int(size), int(size))


def test_the_page_for_an_unreachable_server_loads_no_external_file(client):
    page = client.get("/away/").text
    assert "http://" not in page and "https://" not in page
    assert client.get("/service-worker.js").headers["Content-Type"].startswith("text/javascript")
