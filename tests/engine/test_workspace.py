"""Reading a OneTrainer workspace: the trainings in it, and the files of each."""

from __future__ import annotations

import os

import numpy as np
import pytest

from engine.onetrainer.scalars import ScalarLog, metric_name
from engine.onetrainer.workspace import (
    is_same_prompt,
    is_whole,
    is_workspace,
    read_workspace,
    sample_place,
)
from tests.workspaces import PROMPT, Workspace, finished_workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "my workspace")


def test_one_training_is_read_with_all_its_files(tmp_path):
    (training,) = read_workspace(finished_workspace(tmp_path).folder)
    assert [file.kind for file in training.files] == ["sample", "sample", "sample", "save", "sample", "backup"]
    assert training.model == tmp_path / "model.safetensors"
    assert training.config["epochs"] == 4 and training.steps_per_epoch() == 5


def test_trainings_are_separated_by_their_times(workspace):
    for minutes in (0, 60):
        workspace.log(minutes, steps=2)
        workspace.config(minutes + 0.1, epochs=minutes)
        workspace.sample(1, minutes + 5)
    first, second = read_workspace(workspace.folder)
    assert (first.config["epochs"], second.config["epochs"]) == (0, 60)
    assert len(first.files) == len(second.files) == 1


def test_trainings_that_run_side_by_side_are_separated_by_their_prefixes(workspace):
    workspace.log(0, "cats-")
    workspace.log(1, "dogs-")
    workspace.save(5, 3, "cats-")
    workspace.save(5, 3, "dogs-")
    workspace.save(6, 4, "other-")
    cats, dogs = read_workspace(workspace.folder)
    assert [file.prefix for file in cats.files] == ["cats-"]
    assert [file.prefix for file in dogs.files] == ["dogs-", "other-"]


def test_files_older_than_every_log_are_a_training_of_their_own(workspace):
    workspace.backup(5, 0)
    workspace.backup(9, 5)
    workspace.log(60)
    older, newer = read_workspace(workspace.folder)
    assert [file.step for file in older.files] == [5, 9] and newer.files == []
    assert older.config["training_method"] == "LORA", "it is read from the newest backup"


def test_a_start_that_left_only_its_config_is_a_training(workspace):
    workspace.config(0)
    workspace.log(10)
    assert [training.log is None for training in read_workspace(workspace.folder)] == [True, False]


def test_a_half_written_backup_and_an_empty_sample_wait_until_they_are_whole(workspace):
    workspace.log()
    workspace.backup(5, 1, whole=False)
    workspace.file(1, "samples", "0 - star", f"{workspace.stamp(1)}-training-sample-5-0-5.png", content=b"")
    (training,) = read_workspace(workspace.folder)
    assert training.files == []


def test_odd_names_are_left_alone(workspace):
    workspace.log()
    for name in ("notes.txt", "9999-99-99_99-99-99-backup-1-0-1", "..-save-x", f"{workspace.stamp()}-backup-1-0"):
        workspace.file(0, "backup", name)
        workspace.file(0, "tensorboard", name)
        workspace.file(0, "samples", name, name)
    (training,) = read_workspace(workspace.folder)
    assert training.files == [] and training.problems == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"epochs": NaN}', b"[" * 100_000])
def test_a_damaged_config_is_reported_and_the_rest_is_read(workspace, content):
    workspace.log(steps=1)
    workspace.file(0, "config", f"{workspace.stamp()}.json", content=content)
    (training,) = read_workspace(workspace.folder)
    assert training.config == {} and "could not be read" in training.problems[0]


@pytest.mark.parametrize("zone", [-9, 0, 2])
def test_a_time_in_a_name_is_right_in_every_time_zone_of_the_writer(tmp_path, zone):
    (training,) = read_workspace(finished_workspace(tmp_path, zone).folder)
    assert training.moment(training.stamp).timestamp() == Workspace(tmp_path, zone).seconds()


def test_a_final_model_belongs_to_the_training_that_wrote_it_last(workspace):
    target = str(workspace.folder / "model.safetensors")
    for minutes in (0, 60):
        workspace.config(minutes, output_model_destination=target)
        workspace.log(minutes)
    workspace.file(30, "model.safetensors")
    assert [bool(one.model) for one in read_workspace(workspace.folder)] == [True, False]
    workspace.file(90, "model.safetensors")
    assert [bool(one.model) for one in read_workspace(workspace.folder)] == [False, True]


def test_a_relative_destination_starts_at_the_folder_of_the_workspace(tmp_path):
    workspace = Workspace(tmp_path / "home" / "workspace" / "stars")
    workspace.log()
    workspace.config(workspace_dir="workspace/stars", output_model_destination="models/star.safetensors")
    model = Workspace(tmp_path / "home").file(5, "models", "star.safetensors")
    assert read_workspace(workspace.folder)[0].model == model


def test_relative_paths_in_a_config_are_found_from_any_folder(tmp_path):
    workspace = Workspace(tmp_path / "home" / "workspace")
    workspace.config(workspace_dir="workspace", concepts=[{"path": "stars", "text": {"prompt_path": ""}}, 7])
    assert read_workspace(workspace.folder)[0].config["base_model_name"] == "models/stars", "a name on the hub"
    (tmp_path / "home" / "models" / "stars").mkdir(parents=True)
    config = read_workspace(workspace.folder)[0].config
    assert config["base_model_name"] == str(tmp_path / "home" / "models" / "stars")
    assert config["concepts"] == [{"path": str(tmp_path / "home" / "stars"), "text": {"prompt_path": ""}}, 7]


def test_a_folder_without_any_of_its_folders_is_no_workspace(tmp_path):
    (tmp_path / "pictures").mkdir()
    assert not is_workspace(tmp_path)
    (tmp_path / "backup").mkdir()
    assert is_workspace(tmp_path) and read_workspace(tmp_path) == []


def test_the_folder_of_a_sample_gives_index_prompt_and_ema(tmp_path):
    (training,) = read_workspace(finished_workspace(tmp_path).folder)
    places = sorted((sample_place(file) for file in training.of_kind("sample")), key=str)
    beginning = "a red star on a white background"
    assert places == [(0, beginning, False), (0, beginning, False), (0, beginning, True), None]
    assert is_same_prompt(PROMPT, beginning) and not is_same_prompt("a blue star", beginning)


# -- scalars -------------------------------------------------------------------------------------------------------


def test_scalars_get_the_sites_names_and_are_read_once(workspace):
    log = workspace.log(steps=2)
    reader = ScalarLog()
    scalars, records = reader.read([log.path], 100)
    assert records == 7 and {one.tag for one in scalars} == {"loss", "smooth_loss", "lr/unet"}
    assert reader.read([log.path], 100) == ([], 0)
    log.steps(2, 3)
    assert [one.step for one in reader.read([log.path], 100)[0]] == [2, 2, 2]


def test_a_log_is_read_from_the_offset_of_another_reader(workspace):
    log = workspace.log(steps=4)
    first, _ = ScalarLog().read([log.path], 6)
    rest, _ = ScalarLog(6).read([log.path], 100)
    assert [one.step for one in first + rest] == [step for step in range(4) for _ in range(3)]


def test_two_files_of_one_log_are_read_as_one(workspace):
    log = workspace.log(steps=2)
    second = workspace.log(5, steps=0)
    second.path = second.path.rename(log.path.parent / second.path.name)
    second.steps(2, 3)
    files = [log.path, second.path]
    assert [one.step for one in ScalarLog(4).read(files, 100)[0]] == [1, 1, 1, 2, 2, 2]
    assert [one.step for one in ScalarLog(9).read(files, 100)[0]] == [2, 2]


def test_a_torn_record_is_taken_when_it_is_whole(workspace):
    log = workspace.log(steps=2)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-5])
    reader = ScalarLog()
    assert len(reader.read([log.path], 100)[0]) == 5 and reader.damaged() == [log.path.name]
    log.path.write_bytes(whole)
    assert len(reader.read([log.path], 100)[0]) == 1 and reader.damaged() == []


@pytest.mark.parametrize("garbage", [b"x" * 1000, b"\x00" * 1000, b"\xff" * 40])
def test_garbage_ends_a_log_and_keeps_the_points_before_it(workspace, garbage):
    log = workspace.log(steps=1)
    log.path.write_bytes(log.path.read_bytes() + garbage)
    reader = ScalarLog()
    assert len(reader.read([log.path], 100)[0]) == 3
    assert reader.damaged() == [log.path.name]


def test_a_value_that_is_no_number_is_no_point(workspace):
    log = workspace.log()
    log.scalars(1, log.began, **{"loss/train_step": float("nan"), "lr/unet": float("inf"), "ema_decay": 0.5})
    assert [one.tag for one in ScalarLog().read([log.path], 100)[0]] == ["ema_decay"]


def test_a_log_from_the_writer_of_torch_is_read(workspace):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(workspace.folder / "tensorboard" / workspace.stamp())) as writer:
        writer.add_scalar("loss/train_step", 0.25, 3)
        writer.add_image("sample0 - a star", np.zeros((3, 8, 8), dtype=np.uint8), 3)
        writer.add_scalar("loss/validation_step/stars", 0.5, 4, new_style=True)
    (training,) = read_workspace(workspace.folder)
    scalars, _ = ScalarLog().read(training.event_files(), 100)
    assert [(one.tag, one.step, one.value) for one in scalars] == [
        ("loss", 3, 0.25),
        ("loss/validation_step/stars", 4, 0.5),
    ]
    assert training.process()[2] == os.getpid()


def test_long_names_stay_distinct():
    names = {metric_name("loss/validation_step/" + "x" * 200 + letter) for letter in "ab"}
    assert len(names) == 2 and all(len(name) <= 100 for name in names)


def test_a_backup_is_whole_until_one_of_its_weights_is_cut_off(workspace):
    backup = workspace.backup(5, 3)
    header = b'{"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    weights = backup / "lora/lora.safetensors"
    assert not is_whole(backup), "there are no weights"
    weights.parent.mkdir()
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    assert is_whole(backup)
    (backup / "optimizer").mkdir()
    (backup / "optimizer/optimizer.pt").write_bytes(b"PK\x03\x04 and no end")
    assert not is_whole(backup)
    (backup / "optimizer/optimizer.pt").unlink()
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not is_whole(backup)
