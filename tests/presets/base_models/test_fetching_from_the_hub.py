"""Fetching by a name on the hub: resumed, checked, and found by the hub's own library."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir, snapshot_download

from engine.builtin.families.model_files import find_model, read_model
from engine.hub_files import choose
from presets.base_models import requests
from presets.base_models.download import DiskIsFull, GatedModel, Refused, WrongHash
from presets.base_models.fetching import do_fetch
from presets.models import ModelFetch
from system.account import secrets
from system.jobs import JobLost
from system.models import Job
from tests.making import make_user
from web.errors import BadInput, DomainError
from web.outgoing import Unreachable

pytestmark = pytest.mark.django_db
UNET = "unet/diffusion_pytorch_model.safetensors"


def fetched(source: str = "tiny/stars", user=None, **given: str) -> ModelFetch:
    """The row of a fetch that this test does itself, to its end."""
    row = requests.request_fetch(source, user, **given)
    assert row.take("here")
    do_fetch(row, lambda row: None)
    return row


def cache() -> Path:
    return Path(os.environ["HF_HUB_CACHE"])


def test_a_model_is_fetched_to_where_the_hubs_own_library_and_the_engines_find_it(hub):
    row = fetched()
    assert (row.status, row.model, row.bytes_done) == (Job.Status.DONE, "tiny/stars", row.bytes_total)
    folder = Path(snapshot_download("tiny/stars", cache_dir=cache(), local_files_only=True))
    for file in hub.files_of("tiny/stars"):
        assert (folder / file.relative_to(hub.folder / "tiny/stars")).read_bytes() == file.read_bytes()
    found = scan_cache_dir(cache())
    assert (len(found.repos), found.warnings, list(found.incomplete_files)) == (1, [], [])
    assert find_model("tiny/stars") == folder
    assert read_model(folder).shapes["unet"]


def test_a_line_that_breaks_off_is_continued_at_the_byte_where_it_broke(hub):
    whole = (hub.folder / "tiny/stars" / UNET).stat().st_size
    hub.cut_after = [70_000, 200_000, 0]
    fetched()
    assert [one.headers.get("Range") for one in hub.asked(f"storage/tiny/stars/{UNET}")].count(None) <= 1
    assert hub.sent["diffusion_pytorch_model.safetensors"] < 1.1 * (whole + 1_400_000)


def test_a_fetch_that_was_killed_is_continued_by_the_next_process(hub):
    row = requests.request_fetch("tiny/stars", None)
    row.take("here")

    def die(row: ModelFetch) -> None:
        if row.bytes_done > 100_000:
            raise KeyboardInterrupt

    hub.seconds_per_piece = 0.02
    with pytest.raises(KeyboardInterrupt):
        do_fetch(row, die)
    left = next(cache().rglob("*.partial")).stat().st_size
    assert left > 0
    hub.seconds_per_piece = 0
    asked = len(hub.requests)
    row.take("the next")
    do_fetch(row, lambda row: None)
    assert f"bytes={left}-" in [one.headers.get("Range") for one in hub.requests[asked:]]
    assert not list(cache().rglob("*.partial"))


def test_a_host_that_ignores_the_range_sends_the_file_from_its_beginning(hub):
    hub.cut_after, hub.ignores_range = [70_000], True
    assert fetched().status == Job.Status.DONE


def test_a_file_with_another_hash_is_removed_and_the_model_is_not_there(hub):
    hub.wrong_bytes = True
    with pytest.raises(WrongHash, match="announces another hash"):
        fetched()
    assert not list(cache().rglob("*.partial"))
    assert find_model("tiny/stars") is None


def test_a_gated_model_says_what_to_accept_and_where_the_token_goes(hub):
    hub.gated.add("tiny/stars")
    with pytest.raises(GatedModel, match="accept its terms at http.*/tiny/stars.*token on the account page"):
        fetched()


def test_the_token_goes_to_the_hub_and_not_to_the_host_it_redirects_to(hub):
    hub.gated.add("tiny/stars")
    ada = make_user()
    secrets.set_secret(ada, "huggingface_token", hub.token)
    assert fetched(user=ada).status == Job.Status.DONE
    assert hub.asked("/resolve/")[0].headers["Authorization"] == f"Bearer {hub.token}"
    assert not any("Authorization" in one.headers for one in hub.asked("/storage/"))


def test_a_wrong_token_is_refused_as_gated(hub):
    hub.gated.add("tiny/stars")
    ada = make_user()
    secrets.set_secret(ada, "huggingface_token", "hf_wrong")
    with pytest.raises(GatedModel):
        fetched(user=ada)


def test_an_unknown_model_is_said_in_one_sentence(hub):
    with pytest.raises(DomainError, match="tiny/moons is not on the hub, or is private"):
        fetched("tiny/moons")


@pytest.mark.parametrize(
    ("status", "words"), [(403, "does not allow this account"), (429, "no more requests"), (500, "failed .status 500")]
)
def test_each_status_of_the_hub_has_its_sentence(hub, status, words):
    hub.always = status
    with pytest.raises(Refused, match=words):
        fetched()


def test_a_hub_that_is_away_is_said_in_the_first_sentence(hub, settings):
    settings.HF_ENDPOINT = "http://127.0.0.1:9"
    with pytest.raises(Unreachable, match="^127.0.0.1 cannot be reached"):
        fetched()


def test_a_status_that_passes_is_tried_again(hub):
    hub.statuses = [503, 429]
    assert fetched().status == Job.Status.DONE


def test_a_disk_without_space_is_told_before_the_first_byte(hub, monkeypatch):
    monkeypatch.setattr("presets.base_models.fetching.free_bytes", lambda folder: 1_000_000)
    with pytest.raises(DiskIsFull, match="needs 8 MB, and 1 MB are free"):
        fetched()
    assert not hub.asked("/storage/")


def test_a_cancelled_fetch_ends_and_keeps_what_it_fetched(hub):
    row = requests.request_fetch("tiny/stars", None)
    row.take("here")

    def cancel(news: ModelFetch) -> None:
        if news.bytes_done > 100_000 and ModelFetch.objects.open().exists():
            requests.cancel(ModelFetch.objects.get_queryset().get(pk=row.pk))

    hub.seconds_per_piece = 0.02
    with pytest.raises(JobLost):
        do_fetch(row, cancel)
    row.refresh_from_db()
    assert (row.status, row.detail) == (Job.Status.CANCELLED, "Cancelled: the fetched part is kept.")
    assert list(cache().rglob("*.partial"))
    again = requests.continue_fetch(row, None)
    assert (again.source, again.status) == ("tiny/stars", Job.Status.WAITING)


def test_the_same_model_is_not_queued_twice(hub):
    assert requests.request_fetch("tiny/stars", None).pk == requests.request_fetch("tiny/stars", None).pk


@pytest.mark.parametrize(
    "name", ["stars", "a/b/c", "../etc/passwd", "", "tiny/st ars", "a/..", "-a/b", "file:///etc/passwd"]
)
def test_what_is_no_name_and_no_address_is_refused(name):
    with pytest.raises(BadInput) as refused:
        requests.request_fetch(name, None)
    assert list(refused.value.errors) == ["source"]


def test_only_one_precision_and_either_shards_or_one_file_are_taken():
    names = [
        *("model_index.json", "README.md", "sd.safetensors", "unet/config.json", "safety_checker/model.safetensors"),
        *("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"),
        *("unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.non_ema.safetensors"),
        *("text_encoder/model.safetensors", "text_encoder/model-00001-of-00002.safetensors"),
        "transformer/diffusion_pytorch_model.safetensors",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ]
    assert choose(names, {"unet", "text_encoder", "transformer", "vae"}) == [
        "model_index.json",
        "text_encoder/model.safetensors",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    ]


def test_a_model_with_pickles_alone_is_refused(hub):
    pickled = hub.folder / "old" / "pickles"
    pickled.mkdir(parents=True)
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(Refused, match="pickled weights, which can run a program"):
        fetched("old/pickles")


def test_a_model_of_single_files_names_the_address_of_one(hub):
    single = hub.folder / "old" / "single"
    single.mkdir(parents=True)
    (single / "model.safetensors").write_bytes(b"x")
    with pytest.raises(
        Refused, match="fetch one by its address, such as http.*/old/single/blob/main/model.safetensors"
    ):
        fetched("old/single")
