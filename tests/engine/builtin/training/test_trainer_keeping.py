"""The files that a training writes or refuses to write: backups, saves and samples in edge cases."""

import os
import shutil
from collections import namedtuple

import pytest
import torch
from safetensors import SafetensorError

from engine.builtin.config.train_config import SampleConfig
from engine.builtin.training import checkpoint
from engine.interface.commands import Command
from engine.interface.errors import DiskFull, NotFinite, OutOfMemory
from engine.interface.files import written_beside
from engine.interface.free_space import Backups, mark_of
from engine.interface.progress import TrainProgress
from tests.engine.tiny import Training, make_model, make_pictures, sample


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def training(model, tmp_path):
    pictures = make_pictures(tmp_path / "pictures")

    def make(name="run", resume_from=None, **changes):
        return Training(model, pictures, tmp_path / name, resume_from, **changes)

    return make


def what_became_of(run, command):
    run.at_step(2, lambda: run.commands.put(command))
    run.run()
    done = [("done", detail) for _, detail in run.recorder.of("on_command_done")]
    return done + [("refused", detail) for _, detail in run.recorder.of("on_command_refused")]


def backup_names(run):
    return [path.name.split("-backup-")[1] for path in run.artifacts("backup")]


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_stop_within_an_accumulation_loses_none_of_its_gradient(training, step):
    changes = {"epochs": 3, "gradient_accumulation_steps": 4}
    whole = training("whole", **changes).run()
    first = training("first", **changes, backup_after=step, backup_after_unit="STEP")
    first.at_step(max(step, 4), lambda: first.commands.stop(final_model=False))
    first.run()
    second = training("second", first.artifacts("backup")[-1], **changes).run()
    assert first.recorder.losses | second.recorder.losses == whole.recorder.losses


def test_actions_due_within_an_accumulation_are_done_after_it(training):
    run = training(epochs=4, gradient_accumulation_steps=2, backup_after=1, backup_after_unit="EPOCH").run()
    assert backup_names(run) == ["4-1-1", "6-2-0", "10-3-1", "12-4-0"]


def test_a_resumed_run_may_overwrite_its_own_model(training, tmp_path):
    changes = {"epochs": 4, "prevent_overwrites": True, "backup_before_save": True}
    first = training(**changes)
    first.at_step(4, first.commands.stop)
    first.run()
    second = training("run", first.artifacts("backup")[0], **changes).run()
    assert (tmp_path / "run" / "model-before.safetensors").is_file()
    assert second.recorder.facts["earlier"] == str(tmp_path / "run" / "model-before.safetensors")


def test_weights_that_broke_in_the_last_step_are_neither_backed_up_nor_saved(training, tmp_path):
    run = training(backup_before_save=True, backup_after=5, backup_after_unit="STEP")
    run.at_step(6, lambda: run.trainer.session.parameters[0].data.fill_(float("nan")))
    with pytest.raises(NotFinite, match="no longer finite after step 6"):
        run.run()
    assert backup_names(run) == ["5-1-2"]
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_saving_in_half_precision_does_not_round_the_trained_weights(training):
    changes = {"training_method": "FINE_TUNE", "output_model_format": "DIFFUSERS", "learning_rate": 1e-4}
    whole = training("whole", **changes).run()
    saving = training("saving", **changes, output_dtype="FLOAT_16", save_every=1, save_every_unit="STEP").run()
    assert len(saving.artifacts("save")) == 6
    assert saving.recorder.losses == whole.recorder.losses


def test_a_sample_command_with_a_bad_setting_is_refused_and_training_continues(training):
    run = training()
    ((became, why),) = what_became_of(run, Command("sample_custom", {"width": "wide"}, "c"))
    assert became == "refused" and "width" in why
    assert len(run.recorder.losses) == 6


def test_a_sample_command_whose_samples_fail_is_refused(training, tmp_path):
    (tmp_path / "run" / "workspace").mkdir(parents=True)
    (tmp_path / "run" / "workspace" / "samples").write_text("a file where the folder should be")
    ((became, why),) = what_became_of(training(), Command("sample_default", id="c"))
    assert became == "refused" and "could not be generated" in why


def test_a_sample_command_with_nothing_to_generate_is_refused(training):
    ((became, why),) = what_became_of(training(samples=[]), Command("sample_default", id="c"))
    assert became == "refused" and "Enable a sample in the config first" in why


def test_a_backup_command_on_a_full_disk_is_refused_and_training_continues(training, monkeypatch):
    run = training()
    monkeypatch.setattr(checkpoint, "write_manifest", lambda path: full_disk())
    ((became, why),) = what_became_of(run, Command("backup", id="c"))
    assert became == "refused" and "The disk is full" in why
    assert len(run.recorder.losses) == 6


def test_sampling_works_with_parts_of_different_number_formats(training):
    """As on a GPU with OneTrainer's own presets: a UNet in half precision, a VAE in full."""
    run = training()
    run.trainer.start()
    pipeline = run.trainer.session.family.pipeline
    pipeline.text_encoder.to(torch.bfloat16)
    for name, weight in pipeline.unet.named_parameters():
        weight.data = weight.data if "lora_" in name else weight.data.bfloat16()
    settings = SampleConfig.from_dict(sample("a red circle"))
    assert run.trainer.session.family.sample(settings, 1, lambda *given: None).size == (32, 32)


def full_disk():
    raise SafetensorError("I/O error: No space left on device (os error 28)")


def test_a_full_disk_is_named_even_if_the_library_reports_it_differently(tmp_path):
    with pytest.raises(DiskFull, match="free some space"):
        checkpoint.write_backup(tmp_path, TrainProgress(), {}, lambda folder: full_disk())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_also_recognized_by_its_free_space(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(0))
    with pytest.raises(DiskFull), written_beside(tmp_path / "file") as beside:
        beside.touch()
        raise RuntimeError("unexpected pos 704 vs 598")  # torch.save's message for it


def test_a_backup_being_removed_is_no_backup_from_the_first_moment(tmp_path, monkeypatch):
    backups = [tmp_path / f"2026-01-0{day}_00-00-00-backup-{day}-0-0" for day in (1, 2)]
    for backup in backups:
        backup.mkdir()
    monkeypatch.setattr(shutil, "rmtree", lambda path: None)  # as if killed before the first file was gone
    kept = Backups(tmp_path, rolling=1)
    kept.roll()
    assert len(kept.newest_first()) == 1


def test_a_pinned_backup_is_never_removed(training):
    run = training(epochs=4, backup_after=3, backup_after_unit="STEP", rolling_backup=True, rolling_backup_count=1)
    run.at_step(4, lambda: mark_of(run.artifacts("backup")[0]).touch())
    run.run()
    there = [path for path in run.artifacts("backup") if path.exists()]
    assert there == [run.artifacts("backup")[0], run.artifacts("backup")[-1]]
    assert [path for path, _ in run.recorder.of("on_removed")] == [
        path for path in run.artifacts("backup") if path not in there
    ]


def test_half_written_files_of_a_killed_attempt_are_removed_at_the_next_start(training, tmp_path):
    left = [tmp_path / "run/workspace/backup/x-backup-1-0-1.partial/half", tmp_path / "run/model.safetensors.partial"]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    training().run()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_training_that_runs_out_of_gpu_memory_says_what_to_lower_and_writes_nothing(training):
    run = training()
    run.at_step(2, lambda: setattr(run.trainer.session.optimizer, "step", out_of_memory))
    with pytest.raises(OutOfMemory, match=r"batch_size \(2;"):
        run.run()
    run.trainer.end()
    assert run.artifacts("model") == []


def out_of_memory(*_):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_the_newest_backup_is_the_last_written_even_if_the_clock_was_set_back(training):
    run = training(backup_after=1, backup_after_unit="STEP", rolling_backup=True, rolling_backup_count=1)
    run.recorder.reactions["on_artifact"] = lambda kind, path, *_: os.utime(path, (1, 1))
    run.run()
    assert [path for path in run.artifacts("backup") if path.exists()] == [run.artifacts("backup")[-1]]


def test_a_backup_that_the_site_removes_at_the_same_time_causes_no_error(tmp_path):
    backups = [tmp_path / f"2026-01-0{day}_00-00-00-backup-{day}-0-0" for day in (1, 2, 3)]
    for backup in backups:
        backup.mkdir()
    removed = []

    def remove_the_others(path):
        removed.append(path)
        for backup in backups:
            if backup.exists():
                backup.rmdir()

    Backups(tmp_path, rolling=1, on_removed=remove_the_others).roll()
    assert len(removed) == 1


def test_a_run_that_ends_just_after_a_backup_does_not_write_it_again(training):
    run = training(backup_after=1, backup_after_unit="EPOCH", backup_before_save=True).run()
    assert len(run.artifacts("backup")) == 2 and run.artifacts("model")


def test_a_run_that_is_stopped_just_after_a_backup_does_not_write_it_again(training):
    run = training(backup_after=2, backup_after_unit="STEP")
    run.at_step(4, lambda: run.commands.stop(final_model=False))
    assert len(run.run().artifacts("backup")) == 2
