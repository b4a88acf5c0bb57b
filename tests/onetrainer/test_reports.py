"""The driver's reports of validation, accumulation and failed samples; and the checkout stays untouched."""

from __future__ import annotations

import shutil

import pytest

FOREVER = 100_000
SMALL = {"prompt": "a star", "width": 64, "height": 64, "diffusion_steps": 1}


@pytest.fixture
def held_out(tmp_path, pictures):
    """Two concepts for validation beside the trained concept."""
    concepts = [{"path": str(pictures), "name": "stars"}]
    for name in ("near", "far"):
        folder = shutil.copytree(pictures, tmp_path / name)
        concepts.append({"path": str(folder), "name": name, "type": "VALIDATION"})
    return concepts


def test_validation_losses_are_reported_by_concept_at_their_step(start, held_out):
    attempt = start(concepts=held_out, validation=True, validate_after=1, validate_after_unit="STEP", epochs=1).wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    told = [data for data in attempt.data("metrics") if "loss/validation_step/near" in data["values"]]
    assert {data["step"] for data in told} <= {0, 1} and told
    for data in told:
        assert {"loss", "loss/validation_step/far", "loss/validation_step/total_average"} <= set(data["values"])


def test_with_accumulation_a_loss_is_reported_for_each_step_of_the_optimizer(start):
    attempt = start(gradient_accumulation_steps=2).wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    assert [data["step"] for data in attempt.data("metrics") if "loss" in data["values"]] == [1, 3]
    assert [data["global_step"] for data in attempt.data("progress")] == [1, 2, 2, 3, 4, 4]


def test_with_accumulation_commands_are_done_between_the_optimizers_steps(start):
    attempt = start(gradient_accumulation_steps=2, epochs=FOREVER).wait_for_steps(1)
    for kind in ("backup", "save", "sample_default"):
        attempt.send(kind)
        attempt.wait_for("command_done", id=kind)
    written = [data for data in attempt.data("artifact") if data["kind"] in ("backup", "save")]
    assert len(written) == 2 and all(data["global_step"] % 2 == 0 for data in written)


def test_too_few_steps_for_one_optimizer_step_is_a_failure(start):
    attempt = start(gradient_accumulation_steps=64).wait()
    failed = attempt.data("failed")[0]
    assert failed["reason"] == "bad_data" and "gradient_accumulation_steps" in failed["message"]


def test_a_sample_that_fails_is_a_warning_and_training_continues(start, config):
    samples = [{**config["samples"][0], "width": -64, "prompt": "impossible"}, *config["samples"]]
    attempt = start(samples=samples, sample_after=1, sample_after_unit="STEP", epochs=1).wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    assert any("'impossible' could not be generated" in data["message"] for data in attempt.data("warning"))
    assert {sample["prompt"] for sample in attempt.data("sample")} == {"a red star"}


def test_a_custom_sample_that_fails_is_refused_with_the_reason(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    attempt.send("sample_custom", **SMALL | {"width": -64})
    assert "negative dimension" in attempt.wait_for("command_refused", id="sample_custom")["detail"]
    attempt.send("sample_custom", "possible", **SMALL)
    attempt.wait_for("command_done", id="possible")


def test_commands_during_a_pause_are_refused_with_the_fix(start):
    asked = {"sample_default": {}, "sample_custom": SMALL, "backup": {}, "save": {}}
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    attempt.send("pause")
    attempt.wait_for("command_done", id="pause")
    for kind, arguments in asked.items():
        attempt.send(kind, **arguments)
        assert attempt.wait_for("command_refused", id=kind)["detail"] == "The run is paused: continue it first."
    attempt.send("continue")
    for kind, arguments in asked.items():
        attempt.send(kind, f"{kind} again", **arguments)
        attempt.wait_for("command_done", id=f"{kind} again")


def test_a_stop_ends_a_pause(start):
    attempt = start(epochs=FOREVER).wait_for_steps(1)
    attempt.send("pause")
    attempt.wait_for("command_done", id="pause")
    attempt.send("stop")
    attempt.wait()
    assert attempt.data("ended") == [{"reason": "stopped"}], attempt.log


def test_nothing_is_written_into_the_checkout(start, checkout):
    before = listing(checkout.home)
    attempt = start(sample_after=1, sample_after_unit="STEP").wait()
    assert attempt.data("ended") == [{"reason": "finished"}], attempt.log
    assert listing(checkout.home) == before


def listing(home):
    """Each file and folder with the time of its last change; Python manages compiled files itself."""
    paths = [path for path in home.rglob("*") if ".git" not in path.parts and "__pycache__" not in path.parts]
    return {str(path): path.stat().st_mtime_ns for path in paths if path.name != "__pycache__" and path.is_file()}
