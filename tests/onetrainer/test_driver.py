"""The driver on the stand-in checkout, and on a real one if ONETRAINER_HOME is set."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
from pathlib import Path

from engine.interface.files import sha256_of, verify
from engine.interface.free_space import mark_of
from engine.onetrainer.workspace import is_whole
from tests.needs import needs_mount
from tests.tmpfs import fill, small_disk

FOREVER = 100_000


def test_a_training_ends_with_a_model_a_backup_and_a_loss_of_each_step(start):
    attempt = start(ema="CPU").wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    metrics = attempt.data("metrics")
    assert [data["step"] for data in metrics] == [0, 1, 2, 3]
    assert {"loss", "smooth_loss", "ema_decay"} <= set(metrics[0]["values"])
    assert any(name.startswith("lr/") for name in metrics[0]["values"])
    model = next(data for data in attempt.data("artifact") if data["kind"] == "model")
    assert model["sha256"] == hashlib.sha256(Path(model["path"]).read_bytes()).hexdigest()
    assert (model["global_step"], model["size"]) == (4, Path(model["path"]).stat().st_size)
    assert len(attempt.artifacts("backup")) == 1


def test_progress_is_reported_as_it_was_at_each_step_and_a_status_once(start):
    attempt = start().wait()
    assert [data["global_step"] for data in attempt.data("progress")] == [1, 2, 2, 3, 4, 4]
    statuses = [data["text"] for data in attempt.data("status")]
    assert all(one != next_one for one, next_one in itertools.pairwise(statuses))
    assert {"loading the model", "Training ...", "Saving the final model"} <= set(statuses)


def test_a_backup_can_be_resumed_with_its_concepts_and_samples_and_keeps_the_cache(start, tmp_path):
    first = start().wait()
    backup = first.artifacts("backup")[0]
    for name in ("concepts.json", "samples.json"):
        assert len(json.loads((backup / "onetrainer_config" / name).read_text())) == 1
    kept = tmp_path / "workspace/cache/image/kept"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    (tmp_path / "workspace/backup/9999-12-31_23-59-59-backup-9-9-9").mkdir()
    second = start(resume_from=backup, epochs=3).wait()
    assert second.data("ended") == [{"reason": "finished"}], second.log
    assert [data["step"] for data in second.data("metrics")] == [4, 5]
    assert kept.exists()


def test_an_existing_model_is_kept_under_another_name(start, tmp_path):
    (tmp_path / "model.safetensors").write_text("precious")
    attempt = start().wait()
    (earlier,) = tmp_path.glob("model-before-*.safetensors")
    assert earlier.read_text() == "precious"
    told = {data["kind"]: data.get("earlier") for data in attempt.data("artifact")}
    assert told == {"backup": None, "model": str(earlier)}


def test_nan_ends_the_training_with_a_reason_and_writes_nothing(start, tmp_path):
    (tmp_path / "model.safetensors").write_text("precious")
    attempt = start(learning_rate=1e30).wait()
    assert attempt.data("failed")[0]["reason"] == "nan", attempt.log
    assert (tmp_path / "model.safetensors").read_text() == "precious"
    assert attempt.data("artifact") == [] and not (tmp_path / "workspace/backup").exists()


def test_a_missing_model_is_a_reason(start, tmp_path):
    assert start(base_model_name=str(tmp_path / "none")).wait().data("failed")[0]["reason"] == "missing_model"


def test_fewer_pictures_than_a_batch_is_a_failure(start, tmp_path):
    failed = start(batch_size=8).wait().data("failed")[0]
    assert failed["reason"] == "bad_data" and "batch_size" in failed["message"]


def test_an_empty_data_set_is_a_failure(start, pictures):
    for path in pictures.iterdir():
        path.unlink()
    assert start().wait().data("failed")[0]["reason"] == "bad_data"


def test_a_missing_folder_of_pictures_is_a_reason(start, tmp_path):
    assert start(concepts=[{"path": str(tmp_path / "none")}]).wait().data("failed")[0]["reason"] == "bad_data"


def test_a_value_that_cannot_be_set_is_named_by_its_path(start):
    failed = start(samples=[{"prompt": "a", "seed": "many"}], epochs="few").wait().data("failed")[0]
    assert failed["reason"] == "bad_config"
    assert "epochs:" in failed["message"] and "samples.0.seed:" in failed["message"]


def test_text_is_refused_as_a_switch_and_a_fraction_as_a_count(start):
    message = start(only_cache="false", epochs=2.7).wait().data("failed")[0]["message"]
    assert "only_cache:" in message and "epochs:" in message


def test_a_wrong_output_format_is_found_before_training(start):
    attempt = start(output_model_format="SAFETENSORS").wait()
    assert attempt.data("failed")[0]["message"].startswith("output_model_format:")
    assert attempt.data("progress") == []


def test_a_destination_that_cannot_be_created_is_found_before_training(start, tmp_path):
    (tmp_path / "file").touch()
    attempt = start(output_model_destination=str(tmp_path / "file/model.safetensors")).wait()
    assert attempt.data("failed")[0]["message"].startswith("output_model_destination:")


def test_a_pickle_is_refused_before_it_is_loaded(start, tmp_path):
    (tmp_path / "vae.pt").touch()
    failed = start(vae={"model_name": str(tmp_path / "vae.pt")}).wait().data("failed")[0]
    assert failed["reason"] == "bad_config" and "vae.model_name: " in failed["message"]
    assert "is a pickle" in failed["message"]


def test_samples_are_reported_with_path_prompt_seed_and_average(start):
    attempt = start(ema="CPU", sample_after=1, sample_after_unit="STEP", epochs=1).wait()
    samples = attempt.data("sample")
    assert {sample["is_ema"] for sample in samples} == {True, False}
    assert all(Path(sample["path"]).is_file() for sample in samples)
    assert len({sample["path"] for sample in samples}) == len(samples)
    assert {(s["prompt"], s["settings"]["seed"], s["index"]) for s in samples} == {("a red star", 7, 0)}


def test_custom_samples_of_one_moment_are_files_of_their_own_and_answer_each_command(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    attempt.send("pause")
    attempt.wait_for("command_done", id="pause")
    attempt.send("backup", "early")
    assert "paused" in attempt.wait_for("command_refused", id="early")["detail"]
    attempt.send("continue")
    for number in range(3):
        attempt.send(
            "sample_custom", f"custom{number}", prompt=f"star {number}", width=64, height=64, diffusion_steps=1
        )
    for number in range(3):
        attempt.wait_for("command_done", id=f"custom{number}")
    samples = attempt.data("sample")
    assert [(one["prompt"], one["command_id"]) for one in samples] == [(f"star {n}", f"custom{n}") for n in range(3)]
    assert len({sample["path"] for sample in samples}) == 3


def test_each_command_is_done_and_a_stop_saves_the_trained_model(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    for kind in ("sample_default", "backup", "save"):
        attempt.send(kind)
        attempt.wait_for("command_done", id=kind)
    attempt.send("stop")
    attempt.wait()
    assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
    assert (len(attempt.artifacts("save")), len(attempt.artifacts("model"))) == (1, 1)
    assert "stop" in [data["id"] for data in attempt.data("command_done")]


def test_sigterm_stops_after_the_step_and_saves(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    os.kill(attempt.process.identity.pid, signal.SIGTERM)
    attempt.wait()
    assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
    assert attempt.artifacts("model") and attempt.artifacts("backup")


def test_a_stop_without_a_model_leaves_a_backup_alone(start):
    attempt = start(epochs=FOREVER, backup_before_save=False).wait_for_steps(1)
    attempt.send("stop", final_model=False)
    attempt.wait()
    assert (len(attempt.artifacts("backup")), attempt.artifacts("model")) == (1, []), attempt.log


def test_a_stop_while_pictures_are_cached_ends_at_once_and_writes_no_model_of_one_step(start, config, pictures):
    """With the stand-in the second picture takes as long as the test wants; the real one encodes hundreds."""
    held = pictures / "star-02.png.held"
    held.touch()
    attempt = start(concepts=[config["concepts"][0] | {"image_variations": 300, "balancing": 300.0}], epochs=FOREVER)
    attempt.wait_for("status", text="Starting epoch/caching")
    attempt.send("stop")
    attempt.wait_for("status", text="Stopping")
    held.unlink()
    attempt.wait()
    assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log
    assert attempt.data("artifact") == [] and attempt.data("metrics") == []
    (done,) = [data for data in attempt.data("command_done") if data["id"] == "stop"]
    assert done["detail"].startswith("Stopped before this attempt trained a step")


def test_a_stop_while_pictures_are_cached_again_keeps_the_backup(start, config, pictures):
    first = start(epochs=FOREVER).wait_for_steps(1)
    first.send("stop", final_model=False)
    backup = first.wait().artifacts("backup")[0]
    held = pictures / "star-02.png.held"
    held.touch()
    changed = [config["concepts"][0] | {"image_variations": 300, "balancing": 300.0}]
    second = start(resume_from=backup, epochs=FOREVER, concepts=changed)
    second.wait_for("status", text="Starting epoch/caching")
    second.send("stop")
    second.wait_for("status", text="Stopping")
    held.unlink()
    assert second.wait().data("ended") == [{"reason": "stopped"}], second.log
    assert second.data("artifact") == [] and is_whole(backup)


def test_a_token_is_never_written(start, tmp_path, checkout):
    checkout.environment["HF_TOKEN"] = "hf_private_token"
    start(offline_mode=True).wait()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(b"hf_private_token" in path.read_bytes() for path in files)


def test_each_backup_has_a_manifest_of_hashes(start):
    attempt = start().wait()
    (told,) = [data for data in attempt.data("artifact") if data["kind"] == "backup"]
    backup = Path(told["path"])
    verify(backup)
    assert told["sha256"] == sha256_of(backup / "manifest.json")
    (backup / "meta.json").write_text("{}")
    assert not is_whole(backup)


def test_half_written_files_of_a_killed_attempt_are_removed_at_the_next_start(start, tmp_path):
    left = tmp_path / "workspace/backup/2026-01-01_00-00-00-backup-1-0-1/lora/lora.safetensors"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    (tmp_path / "model.safetensors.partial").write_text("half")
    attempt = start().wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    assert not left.exists() and not list(tmp_path.rglob("*.partial"))


def test_rolling_backups_keep_the_pinned_backup_and_report_the_removed_ones(start):
    attempt = start(epochs=FOREVER, rolling_backup=True, rolling_backup_count=1).wait_for_steps(1)
    for number in range(3):
        attempt.send("backup", f"backup{number}")
        attempt.wait_for("command_done", id=f"backup{number}")
        if number == 0:
            mark_of(attempt.artifacts("backup")[0]).touch()
    attempt.send("stop", final_model=False)
    attempt.wait()
    there = [path for path in attempt.artifacts("backup") if path.exists()]
    assert there == [attempt.artifacts("backup")[0], attempt.artifacts("backup")[-1]], attempt.log
    assert {data["path"] for data in attempt.data("removed")} == {
        str(path) for path in attempt.artifacts("backup") if path not in there
    }


@needs_mount
def test_on_a_full_disk_training_continues_and_the_model_waits_for_space(start, tmp_path):
    with small_disk(tmp_path / "workspace", 64):
        target = str(tmp_path / "workspace/out/model.safetensors")
        attempt = start(epochs=FOREVER, output_model_destination=target).wait_for_steps(1)
        attempt.send("backup", "first")
        attempt.wait_for("command_done", id="first")
        fill(tmp_path / "workspace")
        attempt.send("backup", "second")
        assert "The backup does not fit on the disk" in attempt.wait_for("command_refused", id="second")["detail"]
        attempt.send("stop")
        attempt.wait()
        (failed,) = attempt.data("failed")
        assert failed["reason"] == "disk_full" and "continue the run from its backup of step" in failed["message"]
        assert [is_whole(path) for path in attempt.artifacts("backup")] == [True], attempt.log
        assert not Path(target).exists()
