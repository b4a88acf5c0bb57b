"""A base model from the browser, in pieces by the tus protocol."""

from __future__ import annotations

import base64
import hashlib

import pytest
from rest_framework.test import APIClient

from presets.base_models import uploads
from tests.making import make_user
from tests.training.base_models.test_page import stars, trainer  # noqa: F401  fixtures
from web.permissions import TRAINERS

pytestmark = pytest.mark.django_db
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


@pytest.fixture
def weights(stars):  # noqa: F811
    return (stars / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()


@pytest.fixture
def api(trainer):  # noqa: F811
    client = APIClient()
    client.force_authenticate(trainer)
    return client


def begin(api, name: str, size: int):
    named = {"Upload-Metadata": f"filename {base64.b64encode(name.encode()).decode()}", "Upload-Length": str(size)}
    return api.post("/api/base-models/uploads", headers={**TUS, **named})


def send(api, address: str, offset: int, content: bytes, **headers: str):
    return api.patch(address, content, content_type=PIECE, headers={**TUS, "Upload-Offset": str(offset), **headers})


def test_a_file_arrives_in_pieces_and_is_a_model_when_it_is_whole(api, weights, settings):
    address = begin(api, "mine.safetensors", len(weights))["Location"]
    assert send(api, address, 0, weights[:100_000]).headers["Upload-Offset"] == "100000"
    assert api.head(address, headers=TUS).headers["Upload-Offset"] == "100000"
    assert send(api, address, 0, weights).status_code == 409  # it continues elsewhere
    digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert send(api, address, 100_000, weights[100_000:], **{"Upload-Checksum": f"sha256 {digest}"}).status_code == 460
    assert send(api, address, 100_000, weights[100_000:]).headers["Upload-Offset"] == str(len(weights))
    assert (settings.DATA_DIR / "models" / "mine.safetensors").read_bytes() == weights
    assert [path.name for path in (settings.DATA_DIR / "models").glob(".*")] == []
    assert begin(api, "mine.safetensors", 10).status_code == 409


@pytest.mark.parametrize("name", ["mine.ckpt", "mine.bin", "mine.zip", "", "../mine"])
def test_other_files_are_refused_before_a_byte_is_sent(api, stars, name):  # noqa: F811
    assert begin(api, name, 10).status_code == 400


def test_a_file_with_another_content_is_removed(api, stars, settings):  # noqa: F811
    address = begin(api, "fake.safetensors", 20)["Location"]
    answer = send(api, address, 0, b"\x80\x04}q\x00." * 3 + b"xx")
    assert answer.status_code == 400 and "is not a .safetensors file" in answer.json()["detail"]
    assert not (settings.DATA_DIR / "models" / "fake.safetensors").exists()


def test_an_upload_that_does_not_fit_is_refused_first(api, stars, monkeypatch):  # noqa: F811
    monkeypatch.setattr(uploads, "free_bytes", lambda folder: 1_000_000_000)
    assert begin(api, "large.safetensors", 900_000_000).status_code == 409


def test_an_upload_is_cancelled_by_its_owner_alone(api, weights, settings):
    address = begin(api, "mine.safetensors", len(weights))["Location"]
    other = make_user("tom")
    other.groups.add(other.groups.model.objects.get(name=TRAINERS))
    stranger = APIClient()
    stranger.force_authenticate(other)
    assert stranger.delete(address, headers=TUS).status_code == 404
    assert api.delete(address, headers=TUS).status_code == 204
    assert not list((settings.DATA_DIR / "models").glob(".*"))
