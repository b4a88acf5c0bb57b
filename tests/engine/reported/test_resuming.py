"""Resumed trainings whose data, batch size or accumulation changed, and schedules that miss their end."""

import json

import pytest

from engine.builtin.training.optimizers import rates
from engine.interface.errors import BadData
from engine.preflight import main
from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def pictures(tmp_path):
    return make_pictures(tmp_path / "pictures", 8)


@pytest.fixture
def training(model, pictures, tmp_path):
    def make(name, resume_from=None, **changes):
        return Training(model, pictures, tmp_path / name, resume_from, **{"epochs": 4, **changes})

    return make


@pytest.fixture
def backup_of(training):
    """The backup of a training that was stopped after this many steps; 4 steps are an epoch."""

    def make(step, **changes):
        run = training("first", **changes)
        run.at_step(step, lambda: run.commands.stop(final_model=False))
        return run.run().artifacts("backup")[0]

    return make


def remove_pictures(folder, count):
    for number in range(count):
        (folder / f"{number}.png").unlink()
        (folder / f"{number}.txt").unlink()


def warnings(run):
    return " ".join(message for message, *_ in run.recorder.of("on_warning"))


@pytest.fixture
def seen_before(tmp_path, capsys):
    """The warnings of the check before a training continues, as its process prints them for the worker."""

    def check(run, backup):
        spec = {"engine": "builtin", "config": run.config.to_dict(), "gpus": [], "resume_from": str(backup)}
        (tmp_path / "spec.json").write_text(json.dumps(spec, default=str))
        main(tmp_path / "spec.json")
        found = json.loads(capsys.readouterr().out.splitlines()[-1])["problems"]
        assert all(problem["severity"] == "warning" for problem in found), found
        return " ".join(problem["message"] for problem in found)

    return check


def progress(run):
    return [one.to_dict() for one, *_ in run.recorder.of("on_update_train_progress")]


def test_a_run_that_lost_half_of_its_pictures_trains_every_remaining_epoch(training, backup_of, pictures, seen_before):
    """verl-project/verl#7401: a resumed job ends with success and without its remaining updates."""
    backup = backup_of(7)
    remove_pictures(pictures, 4)
    run = training("second", backup)
    seen = seen_before(run, backup)
    assert seen and seen in warnings(run.run())
    assert sorted(run.recorder.losses) == [7, 8, 9, 10]  # epochs 3 and 4, of 2 steps each
    assert progress(run)[0] == {"epoch": 2, "epoch_step": 0, "epoch_sample": 0, "global_step": 7}
    assert progress(run)[-1] == {"epoch": 4, "epoch_step": 0, "epoch_sample": 0, "global_step": 11}
    assert "4 pictures instead of 8, 2 steps in an epoch instead of 4" in warnings(run)
    assert "the rest of epoch 2 is left out, and training continues with epoch 3" in warnings(run)
    assert run.artifacts("model")


def test_a_run_with_more_pictures_continues_with_the_next_epoch(training, backup_of, pictures):
    """baudm/parseq#160: pictures were added and removed before the training was continued."""
    backup = backup_of(3)
    make_pictures(pictures, 12)
    run = training("second", backup).run()
    assert sorted(run.recorder.losses) == list(range(3, 3 + 3 * 6))
    assert "12 pictures instead of 8" in warnings(run)


CHANGES = {
    "batch size": ({"batch_size": 4}, "batch_size 4 instead of 2", 2),
    "repeats": ({"balancing": 2.0}, "8 steps in an epoch instead of 4", 8),
    "number of pictures": ({"balancing": 4, "balancing_strategy": "SAMPLES"}, "2 steps in an epoch instead of 4", 2),
    "seed": ({"seed": 7}, "other pictures, sizes or repeats", 4),
}


@pytest.mark.parametrize(("changes", "sentence", "steps"), CHANGES.values(), ids=CHANGES)
def test_a_position_within_an_epoch_counts_only_in_the_same_data(
    training, backup_of, pictures, changes, sentence, steps
):
    """allenai/OLMo#182: the position in the data must be right after a change of the batch size."""
    backup = backup_of(13)  # in epoch 4, the last
    concept = {"path": str(pictures), **{key: changes[key] for key in changes if key.startswith("balancing")}}
    others = {key: value for key, value in changes.items() if not key.startswith("balancing")}
    run = training("second", backup, concepts=[concept], **others).run()
    assert len(run.recorder.losses) == steps
    assert sentence in warnings(run) and "epoch 4, the last, is trained from its beginning" in warnings(run)


def test_a_disabled_concept_is_a_change_of_the_data(training, backup_of, pictures, tmp_path):
    other = make_pictures(tmp_path / "other", 8, (32, 64))
    both = [{"path": str(pictures)}, {"path": str(other)}]
    backup = backup_of(3, concepts=both, aspect_ratio_bucketing=True)
    both[1]["enabled"] = False
    run = training("second", backup, concepts=both, aspect_ratio_bucketing=True).run()
    assert len(run.recorder.losses) == 3 * 4
    assert "8 pictures instead of 16" in warnings(run)


def test_the_same_pictures_in_another_folder_are_the_same_data(training, backup_of, pictures, seen_before):
    backup = backup_of(6)
    moved = pictures.rename(pictures.with_name("moved"))
    run = training("second", backup, concepts=[{"path": str(moved)}])
    assert not seen_before(run, backup)
    assert len(run.run().recorder.losses) == 10
    assert "changed" not in warnings(run)


def test_a_backup_at_the_end_of_an_epoch_loses_nothing_by_new_data(training, backup_of, pictures):
    backup = backup_of(8)
    remove_pictures(pictures, 4)
    run = training("second", backup).run()
    assert len(run.recorder.losses) == 2 * 2
    assert "training continues with epoch 3 of the present data" in warnings(run)


def test_another_accumulation_begins_anew_and_says_so(training, backup_of):
    backup = backup_of(7, gradient_accumulation_steps=4)
    run = training("second", backup, gradient_accumulation_steps=3).run()
    assert run.trainer.session.optimizer_steps == 1 + 9 // 3
    assert "gradient_accumulation_steps was changed from 4 to 3, so the gradients of the last 3 steps" in warnings(run)


def test_a_training_whose_data_give_no_batch_fails_with_the_reason(training, monkeypatch):
    """Nerogar/OneTrainer#132: a continued training ends at once, and nothing says why."""
    run = training("empty")
    run.trainer.start()
    monkeypatch.setattr(run.trainer.session.loader, "epoch", lambda epoch, start=0: (one for one in ()))
    with pytest.raises(BadData, match="Only 0 of 16 updates of the weights were made"):
        run.trainer.train()
    run.trainer.end()
    assert not run.artifacts("model")


def test_a_backup_of_the_last_step_says_that_only_the_model_is_written(training, backup_of):
    """Nerogar/OneTrainer#132: all epochs were trained, and the continued training did not say so."""
    backup = backup_of(16)
    run = training("second", backup).run()
    assert not run.recorder.losses and run.artifacts("model")
    assert "All epochs were trained before the backup: only the model is written." in warnings(run)


def test_the_learning_rate_reaches_its_end_with_the_last_update_and_what_is_left_over_is_reported(training):
    """huggingface/diffusers#4387: with gradient accumulation the schedule does not reach zero."""
    run = training("whole", learning_rate_scheduler="LINEAR", gradient_accumulation_steps=3).run()
    session, updates = run.trainer.session, 16 // 3
    assert session.optimizer_steps == session.schedule.last_epoch == updates
    rate_of = {step: values["lr/unet"] for step, values in run.recorder.of("on_metrics")}
    assert rate_of[3 * updates - 1] == pytest.approx(session.config.learning_rate / updates)
    assert rates(session.optimizer)[0][1] == pytest.approx(0.0, abs=1e-9)
    assert "The last 1 steps of the run fill no accumulation of 3" in warnings(run)


def test_the_learning_rate_reaches_its_end_after_a_change_of_the_data(training, backup_of, pictures):
    backup = backup_of(7, learning_rate_scheduler="COSINE")
    remove_pictures(pictures, 4)
    run = training("second", backup, learning_rate_scheduler="COSINE").run()
    session = run.trainer.session
    assert session.optimizer_steps == session.schedule.last_epoch == 7 + 4
    assert rates(session.optimizer)[0][1] == pytest.approx(0.0, abs=1e-9)
    assert all(values["lr/unet"] > 0 for _, values in run.recorder.of("on_metrics"))
