"""Fetching by an address: names, hashes, tokens, and what is refused."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

from presets.base_models import requests
from presets.base_models.addresses import safe_name
from presets.base_models.download import Refused, WrongHash
from presets.base_models.fetching import do_fetch
from presets.models import ModelFetch
from system.account import secrets
from system.models import Job
from tests.making import make_user
from web.errors import BadInput
from web.outgoing import RefusedAddress, client

pytestmark = pytest.mark.django_db
UNET = "unet/diffusion_pytorch_model.safetensors"


def fetched(source: str, user=None, **given: str) -> ModelFetch:
    row = requests.request_fetch(source, user, **given)
    assert row.take("here")
    do_fetch(row, lambda row: None)
    return row


@pytest.fixture
def models(hub, settings):
    return settings.DATA_DIR / "models"


def test_a_file_of_the_hub_is_checked_by_the_hash_that_the_hub_sends(hub, models):
    row = fetched(f"{hub.url}/tiny/stars/blob/main/{UNET}")
    target = models / "diffusion_pytorch_model.safetensors"
    assert (row.status, row.model) == (Job.Status.DONE, str(target))
    assert target.read_bytes() == (hub.folder / "tiny/stars" / UNET).read_bytes()
    target.unlink()
    hub.wrong_bytes = True
    with pytest.raises(WrongHash):
        fetched(f"{hub.url}/tiny/stars/resolve/main/{UNET}")


def test_a_model_of_civitai_gets_its_name_and_hash_there_and_its_token_stays_there(hub, models):
    content = (hub.folder / "tiny/stars" / UNET).read_bytes()
    civitai = f"http://localhost:{hub.port}"
    file = {
        "name": "pony v6.safetensors",
        "primary": True,
        "hashes": {"SHA256": hashlib.sha256(content).hexdigest().upper()},
        "downloadUrl": f"{civitai}/api/download/models/290640",
    }
    pickle = {"name": "pony.ckpt", "hashes": {}, "downloadUrl": f"{civitai}/api/download/models/1"}
    hub.civitai["290640"] = {"id": 290640, "files": [pickle, file], "file": f"tiny/stars/{UNET}"}
    ada = make_user()
    secrets.set_secret(ada, "civitai_token", "civ")
    for address in (
        "models/257749?modelVersionId=290640",
        "models/257749/pony",
        "api/download/models/290640?type=Model",
    ):
        row = fetched(f"{civitai}/{address}", ada)
        assert row.model == str(models / "pony v6.safetensors")
        assert (models / "pony v6.safetensors").read_bytes() == content
        (models / "pony v6.safetensors").unlink()
    sent = [one.headers.get("Authorization") for one in hub.requests if one.headers["Host"].startswith("localhost")]
    assert set(sent) == {"Bearer civ"}
    assert not any("Authorization" in one.headers for one in hub.asked("/storage/"))


def test_a_kept_token_of_another_host_is_sent_to_it(hub, models, settings):
    settings.HF_ENDPOINT = "https://huggingface.co"
    ada = make_user()
    secrets.set_secret(ada, "host:127.0.0.1", "mine")
    with pytest.raises(Refused):
        fetched(f"{hub.url}/nothing.safetensors", ada)
    assert hub.requests[0].headers["Authorization"] == "Bearer mine"


@pytest.mark.parametrize("ending", ["ckpt", "pt", "bin", "zip", "html"])
def test_pickles_and_other_files_are_refused_by_their_name(hub, models, ending):
    (hub.folder / "tiny/stars" / f"file.{ending}").write_bytes(b"x" * 100)
    with pytest.raises(Refused, match=rf"file\.{ending} is"):
        fetched(f"{hub.storage}/storage/tiny/stars/file.{ending}")


def test_a_file_that_only_has_the_name_of_safetensors_is_removed(hub, models):
    (hub.folder / "tiny/stars/fake.safetensors").write_bytes(b"\x80\x04}q\x00." * 50)
    with pytest.raises(Refused, match="is not a .safetensors file, so it was removed"):
        fetched(f"{hub.storage}/storage/tiny/stars/fake.safetensors")
    assert not list(models.iterdir())


def test_a_hash_of_the_user_is_compared(hub, models):
    address = f"{hub.storage}/storage/tiny/stars/{UNET}"
    with pytest.raises(WrongHash):
        fetched(address, sha256="0" * 64)
    with pytest.raises(BadInput, match="64 letters and digits"):
        fetched(address, sha256="abc")


def test_without_a_hash_a_file_is_only_continued_while_its_mark_is_the_same(hub, models):
    (hub.folder / "tiny/stars/plain.safetensors").write_bytes((hub.folder / "tiny/stars" / UNET).read_bytes())
    address = f"{hub.storage}/storage/tiny/stars/plain.safetensors"
    hub.cut_after = [100_000]
    fetched(address)
    again = hub.asked("plain.safetensors")[-1].headers
    assert again["Range"].startswith("bytes=") and again["If-Range"].startswith('"')
    assert [path.name for path in models.iterdir()] == ["plain.safetensors"]


@pytest.mark.parametrize(
    "address",
    [
        *("http://127.0.0.1:1/x.safetensors", "http://10.0.0.8/x", "http://[::1]/x", "http://169.254.169.254/latest"),
        *("http://[::ffff:127.0.0.1]/x", "http://[64:ff9b::a00:1]/x", "http://0.0.0.0/x", "http://0x7f000001/x"),
    ],
)
def test_private_addresses_are_refused(address, settings):
    settings.FETCH_PRIVATE_HOSTS = []
    with client() as session, pytest.raises(RefusedAddress, match="is in a private network"):
        session.get(address)


def test_a_redirect_to_a_private_address_is_refused(hub, settings):
    settings.FETCH_PRIVATE_HOSTS = []
    with client([hub.url]) as session, pytest.raises(RefusedAddress, match="is in a private network"):
        session.get(f"{hub.url}/tiny/stars/resolve/main/{UNET}")
    hub.redirect_to = "file:///etc/passwd"
    with client([hub.url]) as session, pytest.raises((RefusedAddress, httpx2.UnsupportedProtocol)):
        session.get(f"{hub.url}/tiny/stars/resolve/main/{UNET}")


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.org/x",
        "https://me:secret@example.org/x",
        "https://",
        "http://[x",
        "https://example.org/x?token=abc",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(address):
    with pytest.raises(BadInput):
        requests.request_fetch(address, None)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        *(("../../etc/x.safetensors", "x.safetensors"), ("a/b\\c.gguf", "c.gguf"), (".hidden.gguf", "hidden.gguf")),
        ("x" * 300 + ".safetensors", "x" * 120 + ".safetensors"),
    ],
)
def test_a_sent_name_stays_in_the_folder(sent, name):
    assert safe_name(sent) == name
