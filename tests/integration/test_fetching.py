"""A run whose base model is only on a hub: fetched, killed in between with each process, resumed, and trained."""

from __future__ import annotations

import shutil

import pytest

from tests.hub_server import hub_server
from tests.waiting import wait_for

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def hub(tmp_path, demo_folder):
    shutil.copytree(demo_folder / "model", tmp_path / "tiny" / "gray")
    with hub_server(tmp_path) as server:
        yield server


def test_a_run_waits_for_its_model_whose_fetch_survives_kill_9_of_its_process_and_of_the_worker(make_site, config, hub):
    site = make_site("fetching", HF_ENDPOINT=hub.url, FETCH_PRIVATE_HOSTS="127.0.0.1").start("--no-demo")
    cache = site.folder.parent / "cache"
    weights = (hub.folder / "tiny/gray" / WEIGHTS).stat().st_size
    hub.seconds_per_piece = 60 * 16384 / weights  # a minute for this file
    run_id = site.start_run(config, base_model_name="tiny/gray", huggingface_cache_dir=str(cache), epochs=2)

    def fetched() -> int:
        return sum(file.stat().st_size for file in cache.rglob("*.partial"))

    def grows_beyond(size: int) -> None:
        wait_for(lambda: fetched() > size, 90, "more bytes")

    grows_beyond(100_000)
    waits = wait_for(lambda: site.status()["waits_for"], 30, "the reason")
    assert waits.startswith("Its base model tiny/gray ")
    site.kill("do_job")
    at_first_kill = fetched()
    grows_beyond(at_first_kill)
    site.kill("gpu_worker")
    at_second_kill = fetched()
    grows_beyond(at_second_kill)
    hub.seconds_per_piece = 0
    wait_for(lambda: site.run(run_id)["status"] == "finished", 180, "the end of the run")
    begins = [one.headers["Range"] for one in hub.asked(f"/storage/tiny/gray/{WEIGHTS}") if "Range" in one.headers]
    assert len(begins) >= 2
    assert hub.sent[WEIGHTS.rpartition("/")[2]] < 2 * weights
    assert [row["status"] for row in site.api("GET", "base-models/fetches")] == ["done"]
    site.stop()
