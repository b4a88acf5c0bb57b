"""Which runs go on by themselves after they ended, from where, and when."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from engine.interface import errors
from tests.api import trainer
from tests.making import make_run, make_user
from tests.training.files import back_up
from training.models import Run
from training.progress.endings import ENDINGS, known_reason
from training.runs.backups import newest_backup
from training.runs.continuation import Continuation
from training.runs.retries import plan_retry

pytestmark = pytest.mark.django_db
Status = Run.Status


def ended(reason="killed", status=Status.INTERRUPTED, **fields):
    """A run that ended in its first attempt, whose process had begun."""
    run = make_run(status=status, error="It ended.", error_reason=reason, global_step=20, **fields)
    run.attempt_folder.mkdir(parents=True)
    (run.attempt_folder / "journal.jsonl").touch()
    return run


def seconds_to_wait(run):
    return round((run.start_after - now()).total_seconds())


def subclasses(kind):
    return {kind, *(below for each in kind.__subclasses__() for below in subclasses(each))}


def test_each_reason_that_an_engine_can_give_is_one_of_the_list():
    assert {error.reason for error in subclasses(errors.TrainingError)} <= set(ENDINGS)
    assert known_reason("what nobody foresaw") == "crash"


def test_a_killed_run_is_retried_from_its_newest_complete_backup():
    run = ended()
    whole, damaged = back_up(run, 10), back_up(run, 20)
    (damaged / "weights").write_bytes(b"w" * 98)
    assert plan_retry(run)
    assert (run.status, run.resume_from, run.goes_on_from.global_step) == (Status.QUEUED, str(whole), 10)
    assert run.events.last().data["detail"] == "Retries from the backup of step 10."


@pytest.mark.parametrize("reason", [reason for reason, ending in ENDINGS.items() if not ending.may_retry])
def test_a_failure_that_would_repeat_is_not_retried(reason):
    run = ended(reason, Status.FAILED)
    back_up(run, 10)
    assert not plan_retry(run) and run.status == Status.FAILED


def test_the_delay_grows_with_each_time_that_it_makes_no_progress(settings):
    settings.RETRY_DELAYS = [15, 60, 300]
    run = ended(retries=4, retries_left=4)
    backup = back_up(run, 10)
    Run.objects.update(resume_from=str(backup))
    waited = []
    for attempt in range(2, 7):
        Run.objects.update(status=Status.INTERRUPTED, attempt=attempt)
        run.refresh_from_db()
        run.attempt_folder.mkdir(parents=True)
        (run.attempt_folder / "journal.jsonl").touch()
        waited += [seconds_to_wait(run)] if plan_retry(run) else []
    assert waited == [15, 60, 300, 300]
    assert (run.status, run.retries_left) == (Status.INTERRUPTED, 0)


def test_a_new_backup_sets_the_delay_back(settings):
    settings.RETRY_DELAYS = [15, 60, 300]
    run = ended(retries=3, retries_left=0)
    first = back_up(run, 10)
    Run.objects.update(resume_from=str(first), attempt=2)
    run.refresh_from_db()
    run.attempt_folder.mkdir(parents=True)
    (run.attempt_folder / "journal.jsonl").touch()
    assert not plan_retry(run)
    back_up(run, 30)
    assert plan_retry(run)
    assert (seconds_to_wait(run), run.retries_left) == (15, 2)


def test_a_crash_is_tried_again_once_without_progress():
    run = ended("crash", Status.FAILED)
    backup = back_up(run, 10)
    Run.objects.update(resume_from=str(backup))
    run.refresh_from_db()
    assert plan_retry(run)
    Run.objects.update(status=Status.FAILED)
    run.refresh_from_db()
    assert not plan_retry(run)


def test_a_backup_that_proves_damaged_is_passed_over_for_an_older_one():
    run = ended("bad_backup", Status.FAILED)
    older, newer = back_up(run, 10), back_up(run, 20)
    Run.objects.update(resume_from=str(newer))
    run.refresh_from_db()
    assert plan_retry(run) and run.resume_from == str(older)
    assert run.artifacts.get(path=str(newer)).is_damaged and newest_backup(run).path == str(older)


@pytest.mark.parametrize(
    ("steps", "may_lose", "again"), [(0, 0, True), (20, 0, False), (20, 20, True), (21, 20, False)]
)
def test_without_a_backup_it_begins_again_only_where_little_is_lost(settings, steps, may_lose, again):
    settings.RETRY_LOST_STEPS = may_lose
    run = ended()
    run.progress.global_step = steps
    assert plan_retry(run) is again
    assert run.status == (Status.QUEUED if again else Status.INTERRUPTED)


def test_a_policy_of_no_retries_is_kept():
    run = ended(retries=0, retries_left=0)
    back_up(run, 10)
    assert not plan_retry(run)


def test_a_run_that_waits_to_go_on_is_not_ready_before_its_time():
    later = make_run("later", start_after=now() + timedelta(seconds=60))
    due = make_run("due", start_after=now() - timedelta(seconds=1))
    assert list(Run.objects.ready()) == [due] and set(Run.objects.queued()) == {later, due}


def test_a_clock_that_is_set_back_delays_no_run():
    run = make_run(queued_at=now() + timedelta(days=1), start_after=now() + timedelta(days=1, seconds=15))
    assert list(Run.objects.ready()) == [run]


def test_a_waiting_run_can_go_on_now_or_be_cancelled():
    api, run = trainer(), make_run(attempt=1, start_after=now() + timedelta(seconds=60))
    found = api.get(f"/api/runs/{run.pk}/").json()
    assert found["start_after"] and found["status"] == "queued"
    assert api.post(f"/api/runs/{run.pk}/start_now/").json()["start_after"] is None
    assert list(Run.objects.ready()) == [run]
    assert api.post(f"/api/runs/{run.pk}/start_now/").status_code == 409
    assert api.post(f"/api/runs/{run.pk}/cancel/").json()["status"] == "cancelled"


def test_a_user_who_continues_a_run_resets_its_retries():
    run = ended(retries=3, retries_left=0)
    back_up(run, 10)
    Continuation().continue_run(run)
    assert (run.retries_left, run.start_after) == (3, None)


def test_the_policy_is_set_at_the_start_and_can_be_changed():
    api, run = trainer(), make_run()
    changed = api.patch(f"/api/runs/{run.pk}/", {"retries": 9}).json()
    assert (changed["retries"], changed["retries_left"]) == (9, 9)
    assert api.patch(f"/api/runs/{run.pk}/", {"retries": -1}).status_code == 400


def test_the_policy_is_changed_on_the_run_s_page(client):
    run = make_run()
    client.force_login(make_user("boss", is_superuser=True, is_staff=True))
    assert 'name="retries"' in client.get(run.get_absolute_url()).text
    client.post(f"/runs/{run.pk}/retries/", {"retries": "2"})
    client.post(f"/runs/{run.pk}/retries/", {"retries": "many"})
    assert Run.objects.get().retries == 2


@pytest.mark.parametrize("reason", ["killed", "restarted", "lost_host"])
def test_a_run_that_something_else_ended_is_retried_before_the_runs_that_waited_behind_it(reason):
    waiting = [make_run(f"waiting {number}", place=place) for number, place in enumerate((1, 2, None))]
    urgent = make_run("urgent", priority=1)
    run = ended(reason)
    back_up(run, 10)
    assert plan_retry(run)
    assert list(Run.objects.ready()) == [urgent, run, *waiting]


def test_a_run_that_failed_by_itself_lets_others_go_first():
    waiting, run = make_run("waiting"), ended("crash", Status.FAILED)
    back_up(run, 10)
    assert plan_retry(run)
    assert list(Run.objects.ready()) == [waiting] and list(Run.objects.queued()) == [waiting, run]


def test_a_run_that_is_killed_again_and_again_lets_others_train_in_between(settings):
    settings.RETRY_DELAYS = [15, 60]
    waiting, run = make_run("waiting"), ended(retries=3, retries_left=2)
    Run.objects.filter(pk=run.pk).update(resume_from=str(back_up(run, 10)))
    run.refresh_from_db()
    assert plan_retry(run)
    assert seconds_to_wait(run) == 60 and list(Run.objects.ready()) == [waiting]


@pytest.mark.parametrize(("reason", "is_first"), [("shutdown", True), ("stopped", False)])
def test_a_run_that_the_site_s_shutdown_stopped_is_continued_first(reason, is_first):
    waiting, run = make_run("waiting"), ended(reason, Status.STOPPED)
    back_up(run, 10)
    Continuation().continue_run(run)
    assert list(Run.objects.ready()) == ([run, waiting] if is_first else [waiting, run])
