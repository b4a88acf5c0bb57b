"""The bar of a run before its first step."""

from __future__ import annotations

import pytest
from django.test import Client

from engine.interface.journal import Event
from tests.making import make_run, make_user
from training.models import Run
from training.models.obstacle import MODEL_COMES, MODEL_WAITS
from training.progress.activity import activity_of
from training.progress.pace import Pace
from training.progress.state import state_of
from worker.ingest import take_in

pytestmark = pytest.mark.django_db
CACHING = {"phase": "caching", "current": 12, "total": 20}


def told(run: Run, *events: tuple[str, dict]) -> Run:
    """The run after its engine reported these events."""
    begin = run.progress.journal_sequence
    lines = [Event(begin + number, 1.0, kind, data) for number, (kind, data) in enumerate(events, start=1)]
    take_in(run, Pace.of(run.progress), lines, run.progress.journal_offset + 10)
    run.refresh_from_db()
    return run


def progress(step: int) -> tuple[str, dict]:
    place = {"epoch": 0, "epoch_step": step, "epoch_sample": step, "global_step": step, "max_step": 20, "max_epoch": 2}
    return "progress", place


def test_a_start_shows_loading_then_caching_with_its_count_then_the_steps():
    run = told(make_run(status=Run.Status.STARTING), ("started", {}), ("phase", {"phase": "loading"}))
    assert activity_of(run)["text"] == "loading the base model"
    run = told(run, ("phase", {"phase": "caching"}), ("phase_progress", CACHING))
    assert activity_of(run) == {**CACHING, "fraction": 0.6, "text": "caching 12 of 20"}
    run = told(run, ("phase", {"phase": "training"}), progress(1))
    assert activity_of(run) is None


def test_a_look_at_the_cache_between_epochs_does_not_hide_the_steps():
    run = told(make_run(status=Run.Status.RUNNING, phase="training"), progress(20), ("phase", {"phase": "caching"}))
    assert activity_of(run) is None


def test_a_queued_run_shows_how_much_of_its_model_is_fetched():
    run = make_run(obstacle={"code": MODEL_COMES, "model": "a/b", "percent": 40, "size": "4.3 GB", "host": "here"})
    activity = activity_of(run)
    assert (activity["fraction"], activity["text"]) == (0.4, "fetching the base model, 40 %")
    assert state_of(run)["activity"] == activity
    assert activity_of(make_run(obstacle={"code": MODEL_WAITS, "model": "a/b", "host": "here"})) is None


@pytest.mark.parametrize("status", [Run.Status.QUEUED, Run.Status.PAUSED, Run.Status.FINISHED, Run.Status.STOPPING])
def test_other_states_have_no_activity(status):
    assert activity_of(make_run(status=status, phase="caching")) is None


def test_the_pages_show_a_bar_instead_of_step_0():
    client = Client()
    client.force_login(make_user("theo"))
    run = told(make_run(status=Run.Status.STARTING), ("started", {}), ("phase", {"phase": "caching"}))
    told(run, ("phase_progress", CACHING))
    for address in (f"/runs/{run.pk}/", "/runs/", "/"):
        page = client.get(address).text
        assert "caching 12 of 20" in page and 'data-live="activity-bar"' in page
        assert 'data-live="step-bar"' not in page
