"""The list of runs, a run's tabs, and their buttons."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils.timezone import now

from engine import engines
from samples.models import Sample
from tests.making import make_preset, make_run
from tests.markup import squeezed
from training.models import Artifact, Metric, Run
from training.runs.service import TrainerService
from web.errors import NotNow

pytestmark = pytest.mark.django_db
TABS = ("run", "run-samples", "run-metrics", "run-log", "run-timeline", "run-files", "run-config")


def act(client, run, verb, htmx=False, **data):
    headers = {"HX-Request": "true"} if htmx else {}
    return client.post(reverse("run-action", args=[run.pk, verb]), data, headers=headers)


@pytest.mark.parametrize("name", ("dashboard", "runs", "new-run", "presets", "samples", "system", "account"))
def test_a_visitor_is_sent_to_the_sign_in_page(client, name):
    response = client.get(reverse(name))
    assert response.status_code == 302
    assert response.url == f"{reverse('sign-in')}?next={reverse(name)}"


@pytest.mark.parametrize("name", TABS)
def test_a_run_shows_no_tab_to_a_visitor(client, name):
    assert client.get(reverse(name, args=[make_run().pk])).status_code == 302


@pytest.mark.parametrize("name", TABS)
@pytest.mark.parametrize("status", Run.Status.values)
def test_every_tab_shows_every_status(client, trainer, name, status):
    run = make_run("Nebula", status, preset_version=make_preset().versions.first())
    response = client.get(reverse(name, args=[run.pk]))
    assert response.status_code == 200
    assert "Nebula" in response.text
    assert f"pill-{status}" in response.text


def test_htmx_gets_the_part_alone(client, trainer):
    run = make_run()
    response = client.get(run.get_absolute_url(), headers={"HX-Request": "true"})
    assert "<html" not in response.text
    assert run.pk.hex in response.text.replace("-", "")
    assert "HX-Request" in response["Vary"]


def test_the_overview_shows_loss_samples_and_files_without_javascript(client, trainer):
    run = make_run(status=Run.Status.FINISHED, loss=0.1234, smooth_loss=0.1111, max_step=2, max_epoch=2)
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="loss", step=step, value=1 / (step + 1), time=step) for step in range(4)
    )
    Sample.objects.create(run=run, attempt=1, sequence=1, path="/tmp/a.png", prompt="a red star", global_step=3)
    Artifact.objects.create(run=run, attempt=1, sequence=2, kind="model", path="/nowhere/stars.safetensors")
    page = client.get(run.get_absolute_url()).text
    assert "<polyline" in page
    assert "0.1234" in page
    assert "a red star" in page
    assert "stars.safetensors" in page


@pytest.mark.parametrize(
    ("verb", "kind"),
    [("stop", "stop"), ("pause", "pause"), ("sample", "sample_default"), ("backup", "backup"), ("save", "save")],
)
def test_a_button_leaves_a_command_and_leads_back(client, trainer, verb, kind):
    run = make_run(status=Run.Status.RUNNING)
    response = act(client, run, verb, next="/")
    assert response.status_code == 302 and response.url == "/"
    command = run.commands.get()
    assert (command.kind, command.requested_by) == (kind, trainer)


def test_a_pressed_button_is_locked_until_its_command_is_done_and_the_bar_shows_the_result(client, trainer):
    run = make_run(status=Run.Status.RUNNING)
    act(client, run, "backup", htmx=True)
    page = client.get(run.get_absolute_url()).text
    assert 'aria-busy="true"' in page and f"/runs/{run.pk}/backup/" not in page
    assert "Back up: requested, runs after the current step" in squeezed(page)
    run.commands.update(status="done", detail="It lies in backup-7.", ended_at=now())
    page = client.get(f"/runs/{run.pk}/log/").text
    assert 'aria-busy="true"' not in page and f"/runs/{run.pk}/backup/" in page
    assert "Back up: done" in squeezed(page) and "It lies in backup-7." in page


def test_a_button_returns_its_message_to_htmx_and_refreshes_the_page(client, trainer):
    response = act(client, make_run(status=Run.Status.RUNNING), "backup", htmx=True)
    assert response.status_code == 200
    assert response["HX-Trigger"] == "live-refresh"
    assert "A backup will be written" in response.text


def test_a_button_that_comes_too_late_says_so(client, trainer):
    response = act(client, make_run(status=Run.Status.FINISHED), "pause", htmx=True)
    assert response.status_code == 409
    assert "is finished and not training" in response.text


def test_a_queued_run_is_cancelled(client, trainer):
    run = make_run()
    act(client, run, "cancel")
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED


def test_a_paused_run_continues(client, trainer):
    run = make_run(status=Run.Status.PAUSED)
    act(client, run, "continue")
    assert run.commands.get().kind == "continue"


def test_start_again_leads_to_the_new_run(client, trainer):
    run = make_run(status=Run.Status.FAILED)
    response = act(client, run, "restart")
    assert response.url == run.children.get().get_absolute_url()


def test_a_run_continues_from_the_chosen_backup(client, trainer, settings):
    run = make_run(status=Run.Status.STOPPED)
    folder = settings.DATA_DIR / "runs" / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    old, _new = (
        Artifact.objects.create(run=run, attempt=1, sequence=n, kind="backup", path=str(folder), global_step=n)
        for n in (1, 2)
    )
    act(client, run, "resume", backup=str(old.pk))
    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED
    assert "step 1" in run.events.last().data["detail"]


def test_a_custom_sample_takes_the_form_s_settings(client, trainer):
    run = make_run(status=Run.Status.RUNNING)
    act(client, run, "sample-custom", prompt="a green moon", seed="7", width="64")
    arguments = run.commands.get().arguments
    assert (arguments["prompt"], arguments["seed"], arguments["width"]) == ("a green moon", 7, 64)


@pytest.mark.parametrize("data", [{"prompt": " "}, {"prompt": "x", "width": "wide"}, {"prompt": "x", "width": "0"}])
def test_a_bad_sample_is_refused_with_a_sentence(client, trainer, data):
    run = make_run(status=Run.Status.RUNNING)
    response = act(client, run, "sample-custom", htmx=True, **data)
    assert response.status_code == 400
    assert 'role="alert"' in response.text
    assert not run.commands.exists()


def test_a_viewer_sees_no_buttons_and_may_not_press_them(client, viewer):
    run = make_run(status=Run.Status.RUNNING)
    assert reverse("run-action", args=[run.pk, "stop"]) not in client.get(run.get_absolute_url()).text
    response = act(client, run, "stop")
    assert response.status_code == 403
    assert "trainers" in response.text
    assert not run.commands.exists()


def test_buttons_take_no_get(client, trainer):
    assert client.get(reverse("run-action", args=[make_run().pk, "stop"])).status_code == 405


def test_an_unknown_verb_is_not_found(client, trainer):
    assert act(client, make_run(), "explode").status_code == 404


def test_a_button_never_leads_to_another_site(client, trainer):
    run = make_run(status=Run.Status.RUNNING)
    assert act(client, run, "save", next="https://evil.example/").url == run.get_absolute_url()


def test_deleting_first_shows_the_files_to_lose(client, trainer):
    run = make_run(status=Run.Status.FINISHED)
    run.folder.mkdir(parents=True)
    (run.folder / "model.safetensors").write_bytes(b"12345")
    address = reverse("run-delete", args=[run.pk])
    assert "1 file, 5" in client.get(address).text
    assert run.folder.exists()
    assert client.post(address).url == reverse("runs")
    assert not run.folder.exists() and not Run.objects.exists()


def test_a_running_run_is_not_deleted(client, trainer):
    run = make_run(status=Run.Status.RUNNING)
    client.post(reverse("run-delete", args=[run.pk]))
    assert Run.objects.filter(pk=run.pk).exists()


def test_a_command_has_the_label_of_its_button(client, trainer):
    run = make_run(status="running")
    for kind in ("sample_default", "sample_custom", "save"):
        run.commands.create(kind=kind, attempt=1)
    page = client.get(run.get_absolute_url()).text
    asked = re.search(r'id="commands-title".*?</section>', page, re.DOTALL)[0]
    assert re.findall(r'<span class="d-block">(\w+)<', asked) == ["Save", "Generate", "Sample"]
    assert "Save: requested" in squeezed(page)


def test_a_config_can_be_kept_as_a_preset(client, trainer):
    run = make_run(config={**make_run().config, "batch_size": 7})
    response = client.post(reverse("preset-from-run", args=[run.pk]), {"name": "Kept"})
    preset = trainer.presets.get(name="Kept")
    assert response.url == reverse("preset", args=[preset.pk])
    assert preset.config["batch_size"] == 7


def test_the_config_shows_its_difference_to_the_preset(client, trainer):
    preset = make_preset(config={"batch_size": 2})
    run = make_run(preset=preset, preset_version=preset.versions.first())
    page = client.get(reverse("run-config", args=[run.pk])).text
    assert f"Changed from the preset {preset.versions.first()}" in page
    assert "batch_size" in page


def test_an_ended_run_offers_to_go_on_from_its_backup(client, trainer, settings):
    for status, offered in ((Run.Status.STOPPED, True), (Run.Status.FINISHED, True), (Run.Status.CANCELLED, False)):
        run = make_run(status=status)
        folder = settings.DATA_DIR / "runs" / "whole"
        folder.mkdir(parents=True, exist_ok=True)
        Artifact.objects.create(run=run, attempt=1, sequence=1, kind="backup", path=str(folder))
        page = client.get(run.get_absolute_url()).text
        assert ("Continue from backup" in page) is offered


def test_an_action_that_the_engine_cannot_do_is_a_disabled_button_with_the_reason(client, trainer, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "onetrainer", engines.ONETRAINER)
    run = make_run(status=Run.Status.PAUSED, engine="onetrainer")
    page = client.get(run.get_absolute_url()).text
    for verb in ("sample", "backup", "save"):
        assert f'disabled aria-describedby="why-not-{verb}"' in page
        assert reverse("run-action", args=[run.pk, verb]) not in page
    assert "The run is paused: continue it first." in page
    assert 'disabled aria-describedby="draw-why-not"' in page and "No sample can be generated now" in page
    assert reverse("run-action", args=[run.pk, "continue"]) in page
    with pytest.raises(NotNow, match="continue it first"):
        TrainerService(trainer).backup(run)
