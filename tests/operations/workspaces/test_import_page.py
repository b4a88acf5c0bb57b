"""The page and the API that take OneTrainer workspaces in."""

from __future__ import annotations

import pytest

from operations.job_work import do
from system.models import Job
from tests.api import trainer, viewer
from tests.making import make_living_worker
from tests.workspaces import finished_workspace
from training.models import Run

pytestmark = pytest.mark.django_db
PAGE, CALL = "/runs/import/", "/api/runs/import"


@pytest.fixture
def workspace(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    return finished_workspace(tmp_path / "stars")


@pytest.fixture
def page(client):
    client.force_login(trainer().user)
    return client


def done(job):
    assert job.take("test")
    do(job, lambda messages: None)
    job.refresh_from_db()
    return job


def test_a_workspace_is_imported_and_its_runs_are_shown(page, workspace):
    answer = page.post(PAGE, {"path": str(workspace.folder), "name": "Old stars", "follow": "on"}, follow=True)
    assert "It starts as soon as a worker is free." in answer.content.decode()
    job = Job.objects.get()
    assert job.arguments == {"path": str(workspace.folder), "name": "Old stars", "follow": True}
    done(job)
    shown = page.get(PAGE).content.decode()
    run = Run.objects.get()
    assert run.get_absolute_url() in shown and "1 training was imported." in shown and run.owner == job.user


@pytest.mark.parametrize("path", ["", "/etc", "/nowhere"])
def test_a_path_that_will_not_do_is_refused_beside_its_field(page, workspace, path):
    answer = page.post(PAGE, {"path": path})
    assert answer.status_code == 400 and 'id="path-error"' in answer.content.decode()
    assert not Job.objects.exists()


def test_without_a_worker_the_page_says_how_to_start_one(page, workspace):
    page.post(PAGE, {"path": str(workspace.folder)})
    assert "No worker is connected" in page.get(PAGE).content.decode()
    make_living_worker(name="here", host="here")
    assert "No worker is connected" not in page.get(PAGE).content.decode()


def test_htmx_gets_only_the_changing_part_and_polls_during_an_import(page, workspace):
    page.post(PAGE, {"path": str(workspace.folder)})
    part = page.get(PAGE, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and 'hx-trigger="every 2s"' in part
    done(Job.objects.get())
    assert "hx-trigger" not in page.get(PAGE, headers={"HX-Request": "true"}).content.decode()


def test_a_viewer_takes_nothing_in(client, workspace):
    client.force_login(viewer().user)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"path": str(workspace.folder)}).status_code == 403
    assert not Job.objects.exists()


def test_the_pages_of_an_imported_run_are_shown(page, workspace):
    page.post(PAGE, {"path": str(workspace.folder)})
    done(Job.objects.get())
    run = Run.objects.get()
    for tab in ("", "samples/", "metrics/", "log/", "config/", "timeline/", "delete/"):
        answer = page.get(run.get_absolute_url() + tab)
        assert answer.status_code == 200, tab
    assert (
        f'Imported from</dt><dd class="text-break">{workspace.folder}'
        in page.get(run.get_absolute_url()).content.decode()
    )


def test_a_run_without_a_config_is_shown(page, workspace):
    run = Run.objects.create(
        name="bare", engine="onetrainer", config={}, source="/old", status="interrupted", attempt=1
    )
    for tab in ("", "config/"):
        assert page.get(run.get_absolute_url() + tab).status_code == 200


def test_the_api_takes_a_workspace_in(workspace):
    api = trainer()
    answer = api.post(CALL, {"path": str(workspace.folder), "follow": False})
    assert answer.status_code == 202 and answer.json()["status"] == "waiting"
    done(Job.objects.get())
    told = api.get(f"{CALL}/{answer.json()['id']}").json()
    assert (told["status"], told["runs"]) == ("done", [str(Run.objects.get().pk)])


@pytest.mark.parametrize("body", [{}, {"path": 7}, {"path": "/etc"}, {"path": ""}, {"path": "x", "follow": "maybe"}])
def test_the_api_refuses_bad_requests(body):
    answer = trainer().post(CALL, body)
    assert answer.status_code == 400 and answer.json()["errors"]


def test_a_viewer_may_look_but_not_import(workspace):
    job = Job.objects.create(kind="import", arguments={"path": "/x", "name": "", "follow": True}, host="here")
    assert viewer("one").post(CALL, {"path": str(workspace.folder)}).status_code == 403
    assert viewer("two").get(f"{CALL}/{job.pk}").status_code == 200


def test_the_api_says_that_a_run_is_watched_and_why_it_cannot_be_stopped(workspace):
    run = Run.objects.create(
        name="by hand", engine="onetrainer", config={}, source=str(workspace.folder), status="running", attempt=1
    )
    api = trainer()
    told = api.get(f"/api/runs/{run.pk}/").json()
    assert (told["source"], told["is_watched"]) == (str(workspace.folder), True)
    answer = api.post(f"/api/runs/{run.pk}/stop/")
    assert answer.status_code == 409 and "was started outside this site: control it there" in answer.json()["detail"]
