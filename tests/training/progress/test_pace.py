"""The time left, reckoned from histories that are made up: how far it is from what is left in truth."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from engine.interface.journal import FILE_NAME, JournalWriter
from tests.making import make_run
from training.models import Run, RunProgress
from training.progress import time_left
from training.progress.pace import Pace
from training.progress.time_left import seconds_left
from worker.ingest import JournalReader

EPOCHS, STEPS = 12, 100  # steps of an epoch
RULES = {
    "sample_after": 200, "sample_after_unit": "STEP", "sample_skip_first": 0,
    "backup_after": 4, "backup_after_unit": "EPOCH", "backup_before_save": True,
    "save_every": 10, "save_every_unit": "MINUTE", "save_skip_first": 0,
}  # fmt: skip
SECONDS = {"sampling": 40.0, "backup": 25.0, "saving": 3.0, "caching": 0.0}


class Training:
    """Tells a run's pace what a trainer's journal would, and notes what is said of the time left after each event."""

    def __init__(self, monkeypatch, each=0.5, seconds=None):
        self.time, self.each, self.seconds = 1_000_000.0, each, SECONDS | (seconds or {})
        self.run = Run(status="running", config=RULES)
        self.run.progress = self.progress = RunProgress(max_step=STEPS, max_epoch=EPOCHS)
        self.said: list[tuple[float, float | None]] = []
        self.rolls = random.Random(1)
        monkeypatch.setattr(time_left, "now", lambda: datetime.fromtimestamp(self.time, UTC))

    def start(self, step=0, loading=30.0):
        """An attempt from this step on, with a process and a reader of its journal of its own."""
        self.progress.global_step, self.progress.epoch = step, step // STEPS
        self.pace = Pace.of(self.progress)
        self.saved_at = self.time
        self.pace.start(self.time)
        self._say()
        self._during("loading", loading)
        return self

    def train(self, until=EPOCHS * STEPS):
        while self.progress.global_step < until:
            if self.progress.global_step % STEPS == 0:
                self._do("caching")
            self._enter("training")
            self._step()
            self._say()
            self._do_what_is_due()
        if until == EPOCHS * STEPS:
            self._do("backup")
            self._do("saving")
        return self

    def _step(self):
        self.time += self.each * self.rolls.uniform(0.8, 1.3)
        self.progress.global_step += 1
        self.progress.epoch, self.progress.epoch_step = divmod(self.progress.global_step, STEPS)
        self.pace.take(self.progress.global_step, self.time)

    def _do_what_is_due(self):
        step = self.progress.global_step
        if step % RULES["sample_after"] == 0:
            self._do("sampling")
        if step % (RULES["backup_after"] * STEPS) == 0:
            self._do("backup")
        if self.time - self.saved_at >= 600:
            self.saved_at = self.time
            self._do("saving")

    def _do(self, phase):
        if self.seconds[phase]:
            self._during(phase, self.seconds[phase])

    def _during(self, phase, seconds):
        self._enter(phase)
        self._say()
        for _ in range(5):
            self.time += seconds / 5
            self._say()
        self.pace.drew("default")

    def _enter(self, phase):
        self.pace.enter(phase, self.time)
        self.run.phase = phase

    def _say(self):
        for name in ("seconds_per_step", "times", "since_step"):
            setattr(self.progress, name, getattr(self.pace, name))
        until = self.pace.busy_until
        self.progress.busy_until = until and datetime.fromtimestamp(until, UTC)
        self.said.append((self.time, seconds_left(self.run)))

    def errors(self, since):
        """Of what was said after that time, as parts of what was left then."""
        end = self.time
        return [abs(left - (end - time)) / (end - since) for time, left in self.said if time > since]

    def jumps(self, since):
        """Seconds by which what was said went off what the clock did, from one event to the next."""
        known = [(time, left) for time, left in self.said if left is not None and time > since]
        return [abs((left - before) + (time - then)) for (then, before), (time, left) in pairwise(known)]


@pytest.mark.parametrize("each", [0.02, 1.0])
@pytest.mark.parametrize("seconds", [{"sampling": 0.0}, {"caching": 20.0}, {"backup": 200.0}])
def test_it_is_right_from_the_first_of_each_kind_on(monkeypatch, each, seconds):
    training = Training(monkeypatch, each, seconds).start().train(until=450)
    begin = training.time
    training.train()
    assert max(training.errors(since=begin)) < 0.07


def test_it_counts_down_during_samples_and_backups(monkeypatch):
    training = Training(monkeypatch).start().train(until=800)
    quiet = training.time
    training.train(until=1300)
    assert max(training.jumps(since=quiet)) < 6, "seconds of a thousand"


def test_it_does_not_jump_when_a_run_continues_from_a_backup(monkeypatch):
    training = Training(monkeypatch).start(loading=300).train(until=900)
    before = seconds_left(training.run)
    training.start(step=900, loading=30).train(until=1000)
    assert training.progress.times["loading"] == pytest.approx(30)
    told = [left for _, left in training.said[-100:]]
    assert told[0] == pytest.approx(before, rel=0.02)
    assert max(abs(after - then) for then, after in pairwise(told)) < 12
    training.start(step=1000, loading=30)
    assert [round(left) for _, left in training.said[-6:]] == pytest.approx(
        [round(seconds_left(training.run)) + rest for rest in (30, 24, 18, 12, 6, 0)], abs=1
    )


def test_a_change_of_speed_is_followed_within_a_hundred_steps():
    pace = Pace()
    for step in range(1000):
        pace.take(step, 1.5 * step if step < 800 else 1200 + 3.6 * (step - 800))
    assert pace.seconds_per_step == pytest.approx(3.6, rel=0.01)


def test_another_machine_is_believed_more_with_each_step():
    pace = Pace(each=10.0)
    assert pace.seconds_per_step == pytest.approx(10)
    for step in range(200):
        pace.take(step, 2.0 * step)
    assert pace.seconds_per_step == pytest.approx(2)


def test_a_pause_does_not_count():
    pace = Pace()
    for step in range(50):
        pace.take(step, step * 2.0)
    pace.enter("paused", 98.0)
    pace.enter("training", 10_098.0)
    for step in range(50, 60):
        pace.take(step, 10_000 + 2.0 * step)
    assert pace.seconds_per_step == pytest.approx(2.0)


def test_a_custom_sample_does_not_count_as_the_duration_of_all_samples():
    pace = Pace(times={"sampling": 40.0})
    for kind, seconds in (("custom", 4.0), ("default", 20.0)):
        pace.enter("sampling", 0.0)
        pace.drew(kind)
        pace.enter("training", seconds)
    assert pace.times["sampling"] == 30


def test_unreported_pauses_are_spread_over_all_steps():
    pace, time = Pace(), 0.0
    for step in range(1, 2001):
        time += 1.0 + (50 if step % 100 == 0 else 0)
        pace.take(step, time)
    assert pace.seconds_per_step == pytest.approx(1.5, rel=0.02)


def test_a_run_that_has_just_started_has_no_estimate():
    pace = Pace()
    for step in range(6):
        assert pace.seconds_per_step is None
        pace.take(step, 2.0 * step)
    assert pace.seconds_per_step == 2.0


def running(rules, **progress):
    run = Run(status="running", config=rules)
    epoch, epoch_step = divmod(progress["global_step"], 10)
    run.progress = RunProgress(max_step=10, max_epoch=10, **{"epoch": epoch, "epoch_step": epoch_step, **progress})
    return run


@pytest.mark.parametrize(
    ("rules", "times", "later", "here"),
    [
        ({}, {}, 0, 0),
        ({"sample_after": 20, "sample_after_unit": "STEP"}, {"sampling": 7}, 3 * 7, 7),
        ({"sample_after": 20, "sample_after_unit": "STEP", "sample_skip_first": 81}, {"sampling": 7}, 7, 0),
        ({"backup_after": 2, "backup_after_unit": "EPOCH"}, {"backup": 7}, 3 * 7, 7),
        ({"backup_after": 3, "backup_after_unit": "EPOCH"}, {"backup": 7}, 2 * 7, 0),
        ({"backup_after_unit": "NEVER", "backup_before_save": True}, {"backup": 7}, 7, 0),
        ({"save_every": 2, "save_every_unit": "MINUTE"}, {"saving": 30}, (120 + 30) / 0.75 - 120, 0),
        ({"save_every": 0, "save_every_unit": "STEP"}, {"saving": 30}, 30, 0),
        ({"sample_after_unit": "ALWAYS"}, {"sampling": 1}, 60, 1),
        ({}, {"caching": 3, "loading": 100}, 5 * 3, 3),
    ],
)
def test_phases_between_steps_count_as_often_as_the_config_has_them(rules, times, later, here):
    """At step 40 of 100, after what is due there and before."""
    run = running(rules, epoch=4, global_step=40, seconds_per_step=2.0, times=times, since_step=list(times))
    assert seconds_left(run) == pytest.approx(120 + later)
    run.progress.since_step = []
    assert seconds_left(run) == pytest.approx(120 + later + here)


@pytest.mark.parametrize(("since_step", "left"), [([], 3), (["backup"], 2), (["backup", "backup"], 1)])
def test_phases_after_the_last_step_count_until_they_are_done(since_step, left):
    rules = {"backup_after": 2, "backup_after_unit": "EPOCH", "backup_before_save": True}
    run = running(rules, epoch=10, global_step=100, seconds_per_step=2.0, times={"backup": 1, "saving": 1})
    run.progress.since_step = since_step
    assert seconds_left(run) == left


def test_the_speed_of_the_first_slow_step_gives_no_estimate():
    assert seconds_left(running({}, global_step=1, steps_per_second=0.05)) is None


def test_a_run_outside_this_site_is_estimated_by_the_speed_in_its_log():
    run = running({}, global_step=40, steps_per_second=9.0)
    run.source = "/home/ada/workspace"
    assert seconds_left(run) == pytest.approx(60 / 9)
    run.status = "stopping"
    assert seconds_left(run) is None


@pytest.mark.django_db
def test_the_journal_gives_all_values_and_the_next_attempt_starts_with_them():
    run = make_run(status="running", config=RULES)
    run.attempt_folder.mkdir(parents=True)
    journal = JournalWriter(run.attempt_folder / FILE_NAME)
    journal.append("started", {})
    for step in range(20):
        journal.append("phase", {"phase": "training"})
        journal.append("progress", {"epoch": 0, "epoch_step": step, "epoch_sample": step, "global_step": step,
                                    "max_step": 100, "max_epoch": 12})  # fmt: skip
        journal.append("phase", {"phase": "sampling"})
    lines = (run.attempt_folder / FILE_NAME).read_text().splitlines()
    written = [line.replace('"time":', f'"time":{1_000_000 + 2 * number},"_":') for number, line in enumerate(lines)]
    (run.attempt_folder / FILE_NAME).write_text("\n".join(written) + "\n")
    JournalReader(run).read()
    kept = RunProgress.objects.get()
    assert kept.seconds_per_step == pytest.approx(4), "of six seconds, two of which are samples"
    assert kept.times == {"loading": 2.0}, "no default sample was drawn"
    assert kept.busy_until is None or kept.busy_until < datetime.now(UTC) + timedelta(0)
    assert Pace.of(kept).seconds_per_step == pytest.approx(4)


def test_epochs_of_another_length_before_a_change_of_the_data_do_not_count():
    run = running({}, global_step=100, epoch=5, epoch_step=5, seconds_per_step=2.0)
    assert seconds_left(run) == pytest.approx(2.0 * 45)
