"""A resumed training whose data changed since its backup, on the stand-in checkout and on a real one."""

import json
from pathlib import Path

import pytest

from engine.interface.data_facts import FILE_NAME
from engine.interface.files import verify
from engine.onetrainer.preflight import compare_files


@pytest.fixture
def backup_of(start):
    """The backup of a training with epochs of two steps that was stopped after this many steps.

    Its epochs are far too many to end before the stop reaches it.
    """

    def make(steps, **changes):
        attempt = start(epochs=10_000, sample_after=1, sample_after_unit="STEP", **changes)
        attempt.wait_for_steps(steps)
        attempt.send("stop", final_model=False)
        backups = attempt.wait().artifacts("backup")
        assert backups, attempt.log
        return backups[0]

    return make


def place_of(backup):
    return json.loads((backup / "meta.json").read_text())["train_progress"]


def move(backup, **place):
    """Give the backup this position, since a stop comes after a step that the machine's speed decides."""
    meta = json.loads((backup / "meta.json").read_text())
    meta["train_progress"].update(place)
    (backup / "meta.json").write_text(json.dumps(meta))


def warnings(attempt):
    return " ".join(data["message"] for data in attempt.data("warning"))


def rates(attempt):
    """The learning rate of the first part after each update."""
    values = [data["values"] for data in attempt.data("metrics")]
    return [next(one[tag] for tag in sorted(one) if tag.startswith("lr/")) for one in values if "loss" in one]


def remove(pictures, *names):
    for name in names:
        (pictures / f"{name}.png").unlink()
        (pictures / f"{name}.txt").unlink()


def test_a_run_that_lost_pictures_trains_every_remaining_epoch_and_its_rate_reaches_the_end(
    start, backup_of, pictures, config
):
    """Nerogar/OneTrainer#132: a training continued from its backup trained nothing."""
    config["learning_rate_scheduler"], config["learning_rate_warmup_steps"] = "LINEAR", 0
    backup = backup_of(1)
    move(backup, epoch=1, epoch_step=1, epoch_sample=2, global_step=3)
    remove(pictures, "star-01", "star-02")
    notice = "2 pictures instead of 4): the rest of epoch 2 is left out, and training continues with epoch 3."
    before = compare_files(config | {"epochs": 4}, backup, lambda *at: None)
    assert notice in before[0].message and not before[0].is_error
    resumed = start(resume_from=backup, epochs=4).wait()
    assert resumed.data("ended") == [{"reason": "finished"}], resumed.log
    assert notice in warnings(resumed)
    assert [data["global_step"] for data in resumed.data("progress")][-1] == 5
    assert rates(resumed) == [pytest.approx(config["learning_rate"] / 4), pytest.approx(0, abs=1e-9)]


def test_in_the_same_data_a_run_resumes_at_its_own_position(start, backup_of, config):
    backup = backup_of(1)
    verify(backup)
    assert (backup / FILE_NAME).exists()
    step = place_of(backup)["global_step"]
    epochs = step // 2 + 2
    assert compare_files(config | {"epochs": epochs}, backup, lambda *at: None) == []
    resumed = start(resume_from=backup, epochs=epochs).wait()
    assert sorted({data["global_step"] for data in resumed.data("progress")})[-1] == 2 * epochs
    trained = [data["step"] for data in resumed.data("metrics") if "loss" in data["values"]]
    assert trained == list(range(step, 2 * epochs))
    assert "changed" not in warnings(resumed)


def test_a_backup_that_does_not_say_its_data_shows_a_change_by_its_counts(start, backup_of, pictures, config):
    backup = backup_of(1)
    for own in (FILE_NAME, "manifest.json"):
        (backup / own).unlink()
    move(backup, epoch=2, epoch_step=1, epoch_sample=2, global_step=5)
    remove(pictures, "star-01", "star-02")
    assert compare_files(config | {"epochs": 3}, Path(backup), lambda *at: None) == []
    resumed = start(resume_from=backup, epochs=3).wait()
    assert "1 steps in an epoch do not fit step 5 of the backup" in warnings(resumed)
    failed = resumed.data("failed")
    assert failed and "No step was trained: the backup's position in its epoch is behind" in failed[0]["message"]


def test_steps_that_fill_no_accumulation_are_reported(start):
    attempt = start(epochs=2, gradient_accumulation_steps=3).wait()
    assert "The last 1 steps of the run fill no accumulation of 3" in warnings(attempt)
