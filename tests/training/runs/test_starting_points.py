"""Where the next attempt of a run starts."""

import pytest

from tests.making import make_run
from tests.training.files import make_backup
from training.models import Run
from training.runs.starting_points import place_of_start

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    place = {"global_step": 90, "epoch": 9, "epoch_sample": 0, "max_step": 10, "max_epoch": 10}
    return make_run(status=Run.Status.INTERRUPTED, **place)


def continues_from(run, step, epoch):
    backup = make_backup(run, step, epoch=epoch)
    run.resume_from = backup.path
    return backup


def test_the_next_attempt_starts_at_the_position_that_the_backup_was_reported_with(run):
    place = {"epoch": 2, "epoch_step": 3, "epoch_sample": 12, "global_step": 43}  # the first epochs had 20 steps
    backup = continues_from(run, 43, 2)
    run.events.create(
        kind="artifact", attempt=backup.attempt, sequence=backup.sequence, data={"kind": "backup", **place}
    )
    assert place_of_start(run) == place


def test_without_that_report_the_position_is_counted_with_its_pictures(run):
    run.config["batch_size"] = 4
    continues_from(run, 23, 2)
    assert place_of_start(run) == {"epoch": 2, "epoch_step": 3, "epoch_sample": 12, "global_step": 23}
