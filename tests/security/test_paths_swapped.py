"""Attacks between check and use: a link, a file or a folder is swapped after the site has judged it."""

import json

import pytest

from engine.builtin.__main__ import use_door
from engine.interface.errors import BadConfig
from engine.paths import here
from presets.config.named_paths import Reads
from presets.config.paths import checked_paths
from presets.config.permits import Admission

pytestmark = pytest.mark.django_db
FIELD = "concepts.0.path"


@pytest.fixture
def world(settings, tmp_path):
    settings.DATA_DIR, settings.ALLOWED_ROOTS = tmp_path / "data", [tmp_path / "open"]
    for name in ("data/runs/mine", "open/pictures", "open/others", "closed"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "open/link").symlink_to(tmp_path / "open/pictures")
    yield tmp_path
    here.install(None)


def admission(world, config):
    reads = Reads.of_any()
    return Admission(reads, world / "data/runs/mine", checked_paths(config, reads))


def swap(world, target):
    (world / "open/link").unlink()
    (world / "open/link").symlink_to(world / target)


@pytest.mark.parametrize("target", ["closed", "open/others"])
def test_a_link_that_is_swapped_while_the_run_waits_is_refused(world, target):
    config = {"concepts": [{"path": str(world / "open/link")}]}
    waiting = admission(world, config)
    swap(world, target)
    with pytest.raises(BadConfig) as caught:
        waiting.admit(config)
    assert [one.field for one in caught.value.problems] == [FIELD]


def test_the_engine_gets_the_real_path_so_a_swapped_link_changes_nothing(world):
    config = {"concepts": [{"path": str(world / "open/link")}]}
    admitted, permits = admission(world, config).admit(config)
    swap(world, "closed")
    use_door(json.loads(json.dumps({"config": admitted, "door": permits.to_dict()})))
    assert admitted["concepts"][0]["path"] == str(world / "open/pictures")


@pytest.mark.parametrize("target", ["closed", "open/others"])
def test_the_engine_refuses_a_folder_that_is_swapped_after_the_worker_judged_it(world, target):
    config = {"concepts": [{"path": str(world / "open/pictures")}]}
    admitted, permits = admission(world, config).admit(config)
    (world / "open/pictures").rename(world / "open/old")
    (world / "open/pictures").symlink_to(world / target)
    with pytest.raises(BadConfig) as caught:
        use_door({"config": admitted, "door": permits.to_dict()})
    assert [one.field for one in caught.value.problems] == [FIELD]


def test_a_folder_that_takes_the_place_of_another_is_refused_too(world):
    config = {"concepts": [{"path": str(world / "open/pictures")}]}
    admitted, permits = admission(world, config).admit(config)
    (world / "open/pictures").rename(world / "open/old")
    (world / "open/pictures").mkdir()
    with pytest.raises(BadConfig):
        use_door({"config": admitted, "door": permits.to_dict()})


def test_a_run_of_an_older_site_is_judged_without_comparison(world):
    config = {"concepts": [{"path": str(world / "open/link")}]}
    admitted, _ = Admission(Reads.of_any(), world / "data/runs/mine", {}).admit(config)
    assert admitted["concepts"][0]["path"] == str(world / "open/pictures")


def test_a_path_that_does_not_apply_and_is_closed_reaches_no_engine(world):
    config = {"concepts": [{"path": str(world / "open/pictures"), "text": {"prompt_path": "/etc/passwd"}}]}
    admitted, _ = admission(world, config).admit(config)
    assert admitted["concepts"][0]["text"]["prompt_path"] == ""
