"""Many runs that are deleted at once: a worker's job, with the table saying how it goes."""

from __future__ import annotations

import pytest
from django.urls import reverse

from operations.job_work import do
from system.models import Job
from tests.api import trainer as api_trainer
from tests.making import make_run
from training.models import Metric, Run
from training.runs import deletions
from training.runs.removal import delete_with_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client):
    user = api_trainer().user
    client.force_login(user)
    return user


def ask(client, *runs):
    data = {"do": "delete", "run": [str(run.pk) for run in runs], "sure": len(runs)}
    return client.post(reverse("runs-bulk"), data, follow=True).text


def work_off(job):
    assert job.take("gpu0")
    do(job)


def test_deleting_many_runs_is_a_job_that_the_table_shows(client, user):
    runs = [make_run(f"Run {number}", Run.Status.FAILED) for number in range(deletions.MANY)]
    runs[0].folder.mkdir(parents=True)
    assert "20 runs will be deleted when a worker is free." in ask(client, *runs)
    assert Run.objects.count() == 20
    work_off(Job.objects.get())
    assert "20 runs were deleted." in client.get(reverse("runs")).text
    assert not Run.objects.exists() and not runs[0].folder.exists()


def test_few_go_at_once(client, user):
    assert "1 run was deleted." in ask(client, make_run("Run", Run.Status.FAILED))
    assert not Job.objects.exists() and not Run.objects.exists()


def test_a_run_that_was_queued_again_is_kept_and_reported(client, user):
    stays, goes = make_run("Again"), make_run("Old", Run.Status.FAILED)
    work_off(deletions.ask_for_deletion([stays, goes], user))
    assert list(Run.objects.all()) == [stays]
    page = client.get(reverse("runs")).text
    assert "1 run was deleted." in page and "Again: Only an ended run can be deleted" in page


def test_a_restarted_job_counts_missing_runs_as_deleted(user):
    runs = [make_run(f"Run {number}", Run.Status.FAILED) for number in range(3)]
    job = deletions.ask_for_deletion(runs, user)
    runs[0].delete()
    work_off(job)
    assert job.detail == "3 of 3 runs were deleted."


def test_other_users_see_running_but_not_finished_deletions(client, user):
    job = deletions.ask_for_deletion([make_run("Run", Run.Status.FAILED)], user)
    other = api_trainer("bob").user
    assert deletions.deletions(other) == [job]
    work_off(job)
    assert deletions.deletions(other) == [] and deletions.deletions(user) == [job]


def test_metrics_go_in_stretches():
    run, other = make_run("Run", Run.Status.FAILED), make_run("Other", Run.Status.FAILED)
    facts = {"attempt": 1, "tag": "loss", "value": 1.0, "time": 1.0}
    Metric.objects.bulk_create(Metric(run=one, step=step, **facts) for one in (run, other) for step in range(10))
    delete_with_files(run, metrics_at_once=4)
    assert list(Metric.objects.values_list("run", flat=True).distinct()) == [other.pk]


def test_a_long_run_gives_signs_of_life_while_it_goes():
    run, beats = make_run("Run", Run.Status.FAILED), []
    facts = {"attempt": 1, "tag": "loss", "value": 1.0, "time": 1.0}
    Metric.objects.bulk_create(Metric(run=run, step=step, **facts) for step in range(10))
    delete_with_files(run, lambda: beats.append(1), metrics_at_once=4)
    assert len(beats) == 3
