"""Before a run continues, a worker compares its data with the backup's, and the user is told of a change."""

import pytest
from django.contrib.auth.models import User
from django.db.models.signals import post_save

from presets.models import Preflight
from system.models import Job
from tests.api import trainer
from tests.making import make_living_worker, make_run, trainable_config
from tests.training.files import make_backup
from training.models import Run

pytestmark = pytest.mark.django_db
Status = Run.Status
CHANGE = "The training data has changed since the backup (3 pictures instead of 6): training continues with epoch 3."


@pytest.fixture
def run():
    run = make_run(status=Status.STOPPED, config=trainable_config(epochs=4))
    make_backup(run, 10, epoch=1)
    return run


@pytest.fixture
def found(settings):
    """The findings with which a living worker answers every request."""
    settings.PREFLIGHT_SECONDS = 5
    make_living_worker()
    found = {"problems": [{"field": "concepts", "message": CHANGE, "severity": "warning"}]}

    def answer(instance, created, **signal):
        job = Job.objects.get(pk=instance.pk)
        if created and job.take("here:cpu"):
            job.end(Job.Status.DONE, "", result=found)

    post_save.connect(answer, sender=Preflight)
    yield found
    post_save.disconnect(answer, sender=Preflight)


@pytest.fixture
def page(client, run):
    client.force_login(User.objects.create_superuser("anna"))
    return lambda **data: client.post(f"/runs/{run.pk}/resume/", data)


def status_of(run):
    run.refresh_from_db()
    return run.status


def test_the_page_shows_the_change_and_continues_once_it_is_accepted(page, run, found):
    shown = page()
    assert shown.status_code == 409 and CHANGE in shown.content.decode()
    assert 'name="accept" value="yes"' in shown.content.decode()
    assert status_of(run) == Status.STOPPED
    page(accept="yes")
    assert status_of(run) == Status.QUEUED


def test_the_page_continues_at_once_in_the_same_data(page, run, found):
    found["problems"] = []
    page()
    assert status_of(run) == Status.QUEUED


def test_the_check_compares_the_run_s_own_config_with_the_chosen_backup(page, run, found):
    page(backup=str(run.artifacts.get().pk), epochs="9")
    check = Preflight.objects.get()
    assert (check.resume_from, check.config) == (run.artifacts.get().path, {**run.config, "epochs": 9})


def test_the_api_continues_and_answers_with_the_change(run, found):
    answer = trainer().post(f"/api/runs/{run.pk}/resume/")
    assert answer.json()["warnings"] == [{"field": "concepts", "message": CHANGE}]
    assert status_of(run) == Status.QUEUED


def test_the_api_can_only_check(run, found):
    answer = trainer().post(f"/api/runs/{run.pk}/resume/", {"only_check": True}, format="json")
    assert answer.status_code == 200 and answer.json()["warnings"][0]["message"] == CHANGE
    assert status_of(run) == Status.STOPPED


def test_a_failure_of_the_comparison_does_not_keep_a_run_from_continuing(page, run, found):
    found["problems"] = [{"field": "", "message": "the backup cannot be checked", "severity": "error"}]
    page()
    assert status_of(run) == Status.QUEUED


def test_without_a_worker_the_run_continues_unchecked(page, run):
    page()
    assert status_of(run) == Status.QUEUED and not Preflight.objects.exists()
