"""The remedies for the ways in which runs end, with the files that they have."""

import pytest

from tests.making import make_run
from tests.training.files import make_backup
from training.models import Run
from training.progress.endings import ENDINGS, cure_of
from training.runs.actions import offered

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("reason", ENDINGS)
def test_no_remedy_offers_a_backup_to_a_run_without_one(reason):
    run = make_run(status=Run.Status.STOPPED, error_reason=reason)
    assert "backup" not in cure_of(run).replace("it has no backup", "").replace("it had no backup yet", "")
    make_backup(run, 10)
    assert cure_of(run) == str(ENDINGS[reason].cure)


def test_stopping_at_once_says_that_all_is_lost_without_a_backup():
    run = make_run(status=Run.Status.STOPPING)
    assert "It has no backup: all its progress is lost." in str(offered(run)[0].confirm)
    make_backup(run, 10)
    assert "all progress after the last backup is lost" in str(offered(run)[0].confirm)


def test_a_deleted_or_damaged_backup_is_not_offered():
    run = make_run(status=Run.Status.STOPPED, error_reason="stop_now")
    make_backup(run, 10, is_damaged=True)
    assert "all its progress is lost" in cure_of(run)
