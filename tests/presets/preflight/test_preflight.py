"""Preflights: requested, claimed by one worker, awaited, and a start's use of the findings."""

from datetime import timedelta

import pytest
from django.db.models.signals import post_save
from django.utils.timezone import now

from engine.interface.errors import Problem
from presets.models import Draft, Preflight
from presets.preflight import requests as preflight
from presets.preflight.waiting import check_and_wait
from system.models import Job
from tests.api import trainer, viewer
from tests.making import make_living_worker
from training.models import Run
from training.runs.service import TrainerService
from web.errors import BadInput

pytestmark = pytest.mark.django_db
ERROR = {"field": "concepts.0.path", "message": "a.png is broken", "severity": "error"}
MEMORY = {"memory": {"total": 5, "parts": {"weights": 5}}}


@pytest.fixture
def config(tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    (tmp_path / "pictures").mkdir()
    return {"concepts": [{"path": str(tmp_path / "pictures")}], "base_model_name": "owner/model"}


@pytest.fixture
def answering(settings):
    """A living worker that answers every request at once; returns its findings."""
    settings.PREFLIGHT_SECONDS = 5
    make_living_worker()
    found = {"problems": [], "estimate": MEMORY}

    def answer(instance, created, **signal):
        job = Job.objects.get(pk=instance.pk)
        if not (created and job.take("here:cpu")):
            return
        if "fails" in found:
            job.end(Job.Status.FAILED, found["fails"])
        else:
            job.end(Job.Status.DONE, "", result=found)

    post_save.connect(answer, sender=Preflight)
    yield found
    post_save.disconnect(answer, sender=Preflight)


def fall_silent():
    Job.objects.update(heartbeat_at=now() - timedelta(seconds=11))


def test_one_of_two_workers_claims_it(config):
    first = preflight.request(None, config)
    second = Job.objects.get(pk=first.pk)
    assert first.take("one") and not second.take("two")


def test_a_preflight_of_a_dead_worker_is_due_again_after_ten_seconds(config):
    asked = preflight.request(None, config)
    asked.take("dead")
    assert not Job.objects.due().exists()
    fall_silent()
    assert Job.objects.due().get().take("living")
    asked.refresh_from_db()
    assert asked.worker == "living"


def test_a_worker_that_lost_it_cannot_write_any_more(config):
    slow = preflight.request(None, config)
    slow.take("slow")
    fall_silent()
    Job.objects.get().take("quick")
    assert not slow.change(result={"stage": "late"})
    assert Preflight.objects.get().stage == ""


def test_old_preflights_are_removed(config):
    old = preflight.request(None, config)
    Preflight.objects.update(created_at=now() - timedelta(days=2))
    preflight.request(None, config)
    assert not Preflight.objects.filter(pk=old.pk).exists()


def test_a_preflight_that_nobody_claims_is_not_awaited_for_long(config, settings):
    settings.PREFLIGHT_SECONDS = 60
    asked = preflight.request(None, config)
    assert preflight.is_awaited(asked)
    asked.created_at = now() - timedelta(seconds=settings.PREFLIGHT_CLAIM_SECONDS)
    assert not preflight.is_awaited(asked)


def test_one_that_is_done_by_a_worker_is_waited_for_as_long_as_the_settings_say(config, settings):
    settings.PREFLIGHT_SECONDS = 60
    asked = preflight.request(None, config)
    asked.take("slow")
    asked.created_at = now() - timedelta(seconds=50)
    assert preflight.is_awaited(asked)
    asked.created_at = now() - timedelta(seconds=60)
    assert not preflight.is_awaited(asked)


def test_a_start_goes_on_without_the_answer_that_nobody_gives(config, settings):
    settings.PREFLIGHT_SECONDS, settings.PREFLIGHT_CLAIM_SECONDS = 60, 0.1
    make_living_worker()
    assert TrainerService().start_training(config).status == Run.Status.QUEUED
    assert trainer().post("/api/training/start", {"config_dict": config}, format="json").status_code == 200
    assert [one.status for one in Preflight.objects.all()] == ["waiting", "waiting"]
    for run in Run.objects.all():
        assert "No worker took the check" in run.events.get(kind="warning").data["message"]


def test_a_config_whose_check_no_worker_takes_is_not_valid(config, settings):
    settings.PREFLIGHT_SECONDS, settings.PREFLIGHT_CLAIM_SECONDS = 60, 0.1
    make_living_worker()
    body = trainer().post("/api/config/validate", config, format="json").json()
    assert body["valid"] is False and body["preflight"]["status"] == "waiting"
    assert body["errors"] == [{"field": "", "message": body["errors"][0]["message"]}]
    assert "No worker took the check" in body["errors"][0]["message"]


def test_a_config_whose_check_goes_on_is_not_valid_yet(config, settings):
    settings.PREFLIGHT_SECONDS = 60
    asked = preflight.request(None, config)
    asked.take("slow")
    assert "has not ended after 60 seconds" in preflight.unanswered(asked)


def test_a_check_that_failed_makes_no_config_valid_and_starts_no_run(config, answering):
    answering["fails"] = "The check itself failed (KeyError: 'x'): start it again."
    api = trainer()
    body = api.post("/api/config/validate", config, format="json").json()
    assert body["valid"] is False and "The check itself failed" in body["errors"][0]["message"]
    refused = api.post("/api/training/start", {"config_dict": config}, format="json")
    assert refused.status_code == 400 and "The check itself failed" in refused.json()["detail"]
    assert not Run.objects.exists()


def test_without_a_worker_only_the_quick_check_is_made(config, settings):
    settings.PREFLIGHT_SECONDS = 5
    problems, asked = preflight.whole_check(None, config, "builtin", check_and_wait)
    assert asked is None and not any(problem.is_error for problem in problems)


def test_without_a_worker_a_warning_says_that_no_files_were_looked_at(config, settings):
    settings.PREFLIGHT_SECONDS = 5
    body = trainer().post("/api/config/validate", config, format="json").json()
    assert body["valid"] is True and "No worker is running" in body["warnings"][-1]["message"]


def test_a_problem_of_the_quick_check_needs_no_worker(answering):
    problems, asked = preflight.whole_check(None, {"epochs": "many"}, "builtin", check_and_wait)
    assert asked is None and [problem.field for problem in problems if problem.is_error] == ["epochs"]


def test_a_start_is_refused_for_a_workers_finding_and_nothing_is_queued(config, answering):
    answering["problems"] = [ERROR]
    with pytest.raises(BadInput) as refused:
        TrainerService().start_training(config)
    assert refused.value.errors == {"concepts.0.path": ["a.png is broken"]}
    assert not Run.objects.exists()


def test_a_started_run_has_an_estimate_of_its_memory(config, answering):
    run = TrainerService().start_training(config)
    assert run.memory_estimate == MEMORY["memory"]


def body_for(address, config):
    return {"config_dict": config} if "training" in address else {"config": config}


@pytest.mark.parametrize("address", ["/api/training/start", "/api/runs/"])
def test_the_api_starts_a_run_once_its_config_is_checked(config, answering, address):
    answer = trainer().post(address, body_for(address, config), format="json")
    assert answer.status_code in (200, 201), answer.json()
    assert (Run.objects.get().memory_estimate, Preflight.objects.count()) == (MEMORY["memory"], 1)


@pytest.mark.parametrize("address", ["/api/training/start", "/api/runs/"])
def test_the_api_refuses_by_field_what_a_worker_found(config, answering, address):
    answering["problems"] = [ERROR]
    answer = trainer().post(address, body_for(address, config), format="json")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"concepts.0.path": ["a.png is broken"]})
    assert not Run.objects.exists()


def test_a_request_that_waits_for_a_check_counts_once_towards_the_limit(config, answering, settings):
    settings.API_RATES = settings.API_RATES | {"write": "2/min"}
    api = trainer()
    answers = [api.post("/api/config/validate", config, format="json").status_code for _ in range(3)]
    assert answers == [200, 200, 429]


@pytest.mark.parametrize("verb", ["restart", "duplicate"])
def test_a_copy_of_a_run_is_checked_too_by_api_and_page(config, answering, client, verb):
    api = trainer()
    client.force_login(api.user)
    run = TrainerService(api.user).start_training(config)
    Run.objects.update(status=Run.Status.STOPPED, ended_at=now())
    assert api.post(f"/api/runs/{run.pk}/{verb}/", {}, format="json").status_code == 201
    assert client.post(f"/runs/{run.pk}/{verb}/").status_code == 302
    assert (Run.objects.count(), Preflight.objects.count()) == (3, 3)


def test_validate_returns_the_workers_findings(config, answering):
    answering["problems"] = [ERROR, ERROR | {"severity": "warning", "message": "small"}]
    body = trainer().post("/api/config/validate", config, format="json").json()
    assert body["valid"] is False
    assert body["errors"] == [{"field": "concepts.0.path", "message": "a.png is broken"}]
    assert {"field": "concepts.0.path", "message": "small"} in body["warnings"]
    assert body["preflight"]["status"] == "done" and body["preflight"]["estimate"] == MEMORY


def test_validate_can_leave_the_worker_out(config, answering):
    body = trainer().post("/api/config/validate?preflight=false", config, format="json").json()
    assert body["valid"] is True and "preflight" not in body
    assert not Preflight.objects.exists()


def test_a_preflight_can_be_requested_and_read(config):
    api = trainer()
    asked = api.post("/api/config/preflight", config, format="json")
    assert (asked.status_code, asked.json()["status"]) == (202, "waiting")
    assert api.get(f"/api/config/preflight/{asked.json()['id']}").json()["id"] == asked.json()["id"]


def test_a_preflight_of_a_bad_config_is_refused_by_field():
    answer = trainer().post("/api/config/preflight", {"epochs": 0}, format="json")
    assert answer.status_code == 400 and "epochs" in answer.json()["errors"]


def test_nobody_sees_another_users_preflight(config):
    asked = trainer("ada").post("/api/config/preflight", config, format="json").json()["id"]
    assert trainer("bob").get(f"/api/config/preflight/{asked}").status_code == 404


def test_a_viewer_cannot_make_workers_read_files(config):
    assert viewer().post("/api/config/preflight", config, format="json").status_code == 403


def test_its_problems_can_be_read(config):
    asked = preflight.request(None, config)
    asked.result = {"problems": [ERROR]}
    assert preflight.problems_of(asked) == [Problem(**ERROR)]


# -- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft(config, client, django_user_model):
    client.force_login(trainer("ada").user)
    return Draft.objects.create(user=django_user_model.objects.get(username="ada"), config=config)


def test_a_draft_is_checked_from_its_page(client, draft):
    answer = client.post("/preflights/start/", {"draft": draft.pk}, headers={"HX-Request": "true"})
    asked = Preflight.objects.get()
    assert f"/preflights/{asked.pk}/" in answer.content.decode()


def test_without_scripts_the_check_has_its_own_page(client, draft):
    answer = client.post("/preflights/start/", {"draft": draft.pk}, follow=True)
    assert "The check waits, since no worker is running: start a worker." in answer.content.decode()


def test_problems_of_a_draft_are_shown_at_once(client, draft):
    draft.config["epochs"] = 0
    draft.save()
    answer = client.post("/preflights/start/", {"draft": draft.pk}, headers={"HX-Request": "true"})
    assert 'data-jump="epochs"' in answer.content.decode() and not Preflight.objects.exists()


def test_the_page_shows_the_findings(client, draft, config):
    asked = preflight.request(draft.user, config)
    estimate = {**MEMORY, "disk": {"total": 7, "parts": {"backups": 7}}, "gpus": [{"memory_total_gb": 24}]}
    Preflight.objects.update(status="done", result={"problems": [ERROR], "estimate": estimate})
    page = client.get(f"/preflights/{asked.pk}/").content.decode()
    assert "a.png is broken" in page and "Memory at the peak" in page and "24.0" in page


def test_another_users_draft_cannot_be_checked(client, draft):
    client.force_login(trainer("bob").user)
    assert client.post("/preflights/start/", {"draft": draft.pk}).status_code == 404


def test_a_failed_check_is_reported(client, draft, config):
    asked = preflight.request(draft.user, config)
    Preflight.objects.update(status="failed", detail="The check itself failed (x): start it again.")
    assert "The check itself failed" in client.get(f"/preflights/{asked.pk}/").content.decode()


def test_the_page_says_that_no_worker_took_the_check(client, draft, config):
    make_living_worker()
    asked = preflight.request(draft.user, config)
    Preflight.objects.update(created_at=now() - timedelta(seconds=10))
    page = client.get(f"/preflights/{asked.pk}/").content.decode()
    assert "No worker took the check" in page and "No problems found" not in page
