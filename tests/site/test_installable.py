"""What makes the site installable as an app."""

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


def test_the_manifest_has_what_browsers_ask_for_before_they_offer_to_install(manifest):
    assert manifest["name"] and manifest["start_url"] == "/" and manifest["display"] == "standalone"
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}


def test_each_icon_has_the_size_that_the_manifest_says(manifest):
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            size = icon["sizes"].partition("x")[0]
            assert Image.open(finders.find(f"img/icon-{size}.png")).size == (int(size), int(size))


def test_the_page_for_a_server_that_is_away_names_no_file_from_elsewhere(client):
    page = client.get("/away/").text
    assert "http://" not in page and "https://" not in page
    assert client.get("/service-worker.js").headers["Content-Type"].startswith("text/javascript")
