"""Trainings on a disk that fills up: a real one, of a few megabytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.builtin.training.checkpoint import is_whole
from engine.interface import free_space
from engine.interface.commands import Command
from engine.interface.errors import DiskFull
from engine.interface.journal import JournalWriter, read_journal
from tests.engine.tiny import Training, make_model, make_pictures
from tests.needs import needs_mount
from tests.tmpfs import fill, small_disk

pytestmark = needs_mount


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 24) as folder:
        yield folder


@pytest.fixture
def training(model, tmp_path, disk):
    pictures = make_pictures(tmp_path / "pictures")

    def make(resume_from=None, **changes):
        return Training(model, pictures, disk, resume_from, **changes)

    return make


def warnings(run):
    return [message for message, *_ in run.recorder.of("on_warning")]


EACH_STEP = {"backup_after": 1, "backup_after_unit": "STEP"}


def test_without_space_backups_are_skipped_and_training_continues_until_there_is_space(training, disk):
    run = training(**EACH_STEP)

    def after_each_step(progress, *_):
        if progress.global_step == 2:
            fill(disk, leave=1_000_000)
        if progress.global_step == 5:
            (disk / "ballast").unlink()

    run.recorder.reactions["on_update_train_progress"] = after_each_step
    run.run()
    assert [path.name.split("-backup-")[1] for path in run.artifacts("backup")] == ["1-0-1", "5-1-2", "6-2-0"]
    assert len(warnings(run)) == 3
    assert "The backup does not fit on the disk" in warnings(run)[0] and "1 MB are free" in warnings(run)[0]
    assert len(run.recorder.losses) == 6 and run.artifacts("model")


def test_a_write_that_fails_half_way_leaves_the_older_backup_whole(training, disk, monkeypatch):
    run = training(**EACH_STEP, epochs=1)
    monkeypatch.setattr(free_space, "needed", lambda expected: 0)
    run.at_step(2, lambda: fill(disk, leave=16_384))
    run.recorder.reactions["on_artifact"] = lambda kind, *_: kind == "model" and (disk / "ballast").unlink()
    with pytest.raises(DiskFull, match=r"continue the run from its backup of step 1; 2 steps will be trained again"):
        run.run()
    (backup,) = run.artifacts("backup")
    assert is_whole(backup)
    assert not list(disk.rglob("*.partial"))


def test_a_run_whose_model_did_not_fit_is_resumed_once_there_is_space(training, disk):
    run = training(**EACH_STEP, epochs=1)
    run.at_step(3, lambda: fill(disk))
    with pytest.raises(DiskFull):
        run.run()
    (disk / "ballast").unlink()
    again = training(run.artifacts("backup")[-1], **EACH_STEP, epochs=1).run()
    assert again.artifacts("model")[0].is_file()
    assert list(again.recorder.losses) == [2]


def test_a_new_backup_replaces_only_the_backups_that_the_policy_allows_and_never_the_newest(training, disk):
    run = training(**EACH_STEP, epochs=1, rolling_backup=True, rolling_backup_count=2)
    run.at_step(3, lambda: fill(disk, leave=1_000_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(free_space, "MARGIN", 1_000_000 - 50_000)
        run.run()
    assert [path.exists() for path in run.artifacts("backup")] == [False, True, True]


def test_a_command_says_why_there_is_no_backup(training, disk):
    run = training()
    fill(disk, leave=5_000_000)
    run.at_step(2, lambda: run.commands.put(Command("backup", id="c")))
    run.run()
    ((_, why),) = run.recorder.of("on_command_refused")
    assert "The backup does not fit on the disk" in why and "5 MB are free" in why


def test_the_journal_waits_for_space_and_then_has_every_event(disk):
    writer = JournalWriter(disk / "journal.jsonl")
    writer.append("status", {"text": "before"})
    ballast = fill(disk)
    for step in range(2000):
        writer.append("metrics", {"step": step, "values": {"loss": 0.5}})
    assert not writer.drain(0)
    ballast.unlink()
    writer.append("ended", {"reason": "finished"})
    events, _ = read_journal(disk / "journal.jsonl")
    assert [event.sequence for event in events] == list(range(1, 2003))
    assert writer.drain(0)


PRINTS = """
import sys
from engine.interface.reporting import print_despite_full_disk
print_despite_full_disk()
for number in range(5000):
    print("a line of the log", number)
print("an error", file=sys.stderr, flush=True)
"""


def test_printing_on_a_full_disk_ends_nothing(disk):
    fill(disk)
    with (disk / "engine.log").open("ab") as log:
        command = [sys.executable, "-c", PRINTS]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        root = Path(__file__).resolve().parents[4]
        assert subprocess.run(command, cwd=root, env=environment, stdout=log, stderr=log, check=False).returncode == 0
