"""The list by which an engine process confines itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.guest import WrongPlace, guest_of, make_scratch, remove_scratch, scratch_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    run = settings.DATA_DIR / "runs" / "r"
    run.mkdir(parents=True, exist_ok=True)
    return run


def listed(folder, **config):
    return guest_of(config, folder, Path("/scratch"))


def test_inputs_are_found_wherever_the_config_names_them(folder, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "new.safetensors").touch()
    guest = listed(
        folder, concepts=[{"path": str(tmp_path / "pictures")}], something={"new": [f"{tmp_path}/new.safetensors"]}
    )
    assert {str(tmp_path / "pictures"), f"{tmp_path}/new.safetensors"} <= set(guest["read"])


def test_what_the_site_does_not_allow_is_not_opened_for_the_engine(folder, settings):
    key = settings.DATA_DIR / "secret_key"
    key.touch()
    runs = str(settings.DATA_DIR / "runs")
    guest = listed(folder, base_model_name=str(key), lora_model_name="/etc/shadow", prompt=runs)
    assert not {str(key), "/etc/shadow", runs} & set(guest["read"])
    assert str(settings.DATA_DIR) in guest["private"]


def test_pictures_that_are_links_can_be_read(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.png").touch()
    (tmp_path / "pictures/deep").mkdir(parents=True)
    (tmp_path / "pictures/deep/a.png").symlink_to(tmp_path / "elsewhere/a.png")
    (tmp_path / "pictures/key.png").symlink_to("/etc/shadow")
    guest = listed(folder, concepts=[{"path": str(tmp_path / "pictures")}])
    assert f"{tmp_path}/elsewhere/a.png" in guest["read"] and "/etc/shadow" not in guest["read"]


def test_the_folder_of_the_destination_is_made_and_writable(folder, tmp_path):
    guest = listed(folder, output_model_destination=f"{tmp_path}/new/model.safetensors")
    assert f"{tmp_path}/new" in guest["write"] and (tmp_path / "new").is_dir()


def test_a_destination_around_the_data_folder_is_refused(folder, settings):
    with pytest.raises(WrongPlace, match="contains the site's own files"):
        listed(folder, output_model_destination=str(settings.DATA_DIR.parent / "model.safetensors"))


def test_the_setting_turns_it_off(folder, settings):
    settings.CONFINE_ENGINE = False
    assert listed(folder) is None


def test_temporary_files_of_an_attempt_are_removed_but_nothing_behind_a_link(tmp_path):
    place = make_scratch("t-1")
    (place / "file").touch()
    remove_scratch("t-1")
    assert not place.exists()
    (tmp_path / "kept").touch()
    scratch_of("t-2").symlink_to(tmp_path)
    assert make_scratch("t-2") != scratch_of("t-2"), "another program has put a link there"
    remove_scratch("t-2")
    assert (tmp_path / "kept").exists()
    scratch_of("t-2").unlink()
