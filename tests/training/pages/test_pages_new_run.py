"""A new run in the editor, without JavaScript."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from presets.editor.drafts import get_draft
from presets.editor.form import form_of
from presets.models import Draft, Preflight, Preset
from tests.making import make_living_worker, make_preset, make_run, make_user, trainable_config
from tests.markup import squeezed
from tests.presets.editor.editor_client import inputs, send
from training.models import Run

pytestmark = pytest.mark.django_db
ADDRESS = "/runs/new/"


@pytest.fixture
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def preset():
    return make_preset("SD 1.5/LoRA", {"training_method": "LORA", "batch_size": 1, "lora_rank": 8})


def tab_of(path):
    return form_of("builtin").nearest(path).tab


def put(client, path, text, do="save"):
    """Type into one field, on the tab where it stands."""
    return send(client, ADDRESS, tab_of(path), do, **{f"field__{path.replace('.', '__')}": text})


def shown(client, path):
    return inputs(client.get(ADDRESS, {"tab": tab_of(path)}).text)[f"field:{path}"]


def concepts(path=None):
    return json.dumps([{"name": "stars", "path": path or trainable_config()["concepts"][0]["path"]}])


def test_a_preset_in_the_address_is_loaded_into_the_draft(client, user, preset):
    page = client.get(ADDRESS, {"preset": preset.pk}, follow=True)
    assert page.redirect_chain == [(ADDRESS, 302)]
    assert "Loaded preset SD 1.5/LoRA. Undo restores the previous settings." in page.text
    assert f'value="preset:{preset.pk}" selected' in page.text
    assert shown(client, "lora_rank") == "8"


def test_a_run_is_queued_with_the_changes_to_its_preset(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts())
    put(client, "epochs", "7")
    response = send(client, ADDRESS, do="start", fact__name="Mine", fact__tags="a, b", fact__notes="remember this")
    run = Run.objects.get()
    assert response.url == run.get_absolute_url()
    assert (run.name, run.preset, run.preset_version.number) == ("Mine", preset, 1)
    assert (run.owner, run.tags, run.notes) == (user, ["a", "b"], "remember this")
    assert (run.config["epochs"], run.config["lora_rank"], run.config["training_method"]) == (7, 8, "LORA")
    assert json.loads(concepts()) == [{key: run.config["concepts"][0][key] for key in ("name", "path")}]


def test_a_preset_s_setting_that_the_draft_reset_has_its_default_in_the_run(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts())
    client.post(ADDRESS, {"revision": get_draft(user).revision, "tab": tab_of("lora_rank"), "reset": "lora_rank"})
    send(client, ADDRESS, do="start")
    assert Run.objects.get().config["lora_rank"] == 16


def test_the_next_run_begins_with_the_last_config_and_a_name_of_its_own(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts())
    send(client, ADDRESS, do="start", fact__name="Mine", fact__tags="a")
    again = inputs(client.get(ADDRESS).text)
    assert (again["fact:name"], again["fact:tags"]) == ("", "a")
    assert shown(client, "lora_rank") == "8"


def test_errors_are_beside_their_fields_and_no_input_is_lost(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts("/nowhere/at/all"))
    response = send(client, ADDRESS, tab_of("epochs"), "start", field__epochs="many", fact__name="Mine")
    page = response.text
    assert response.status_code == 400
    assert not Run.objects.exists()
    assert "The run was not started:" in page
    assert 'id="field-epochs-messages" aria-live="polite"><span class="field-error">Must be a whole number' in squeezed(
        page
    )
    assert 'href="?tab=' in page and "#field-concepts" in page
    typed = inputs(page)
    assert (typed["field:epochs"], typed["fact:name"]) == ("many", "Mine")
    assert "/nowhere/at/all" in client.get(ADDRESS, {"tab": "concepts"}).text


@pytest.mark.parametrize("text", ["{", "[1", "NaN"])
def test_invalid_json_is_kept_and_reported(client, user, text):
    assert put(client, "optimizer_defaults", text, "check").status_code == 400
    assert shown(client, "optimizer_defaults") == text


def test_a_field_of_any_tab_reaches_the_run(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    for path, text in (("concepts", concepts()), ("clip_grad_norm", "0.5"), ("optimizer.weight_decay", "1e-3")):
        put(client, path, text)
    send(client, ADDRESS, do="start")
    config = Run.objects.get().config
    assert (config["clip_grad_norm"], config["optimizer"]["weight_decay"]) == (0.5, 0.001)


def test_a_switch_can_be_turned_off_and_on(client, user, preset):
    put(client, "text_encoder.train", "false")
    assert Draft.objects.get(user=user).config == {"text_encoder": {"train": False}}
    put(client, "text_encoder.train", "true")
    assert Draft.objects.get(user=user).config == {}


def test_an_empty_field_is_unset_where_it_may_be_and_wrong_where_not(client, user):
    put(client, "clip_grad_norm", "")
    put(client, "epochs", "")
    assert Draft.objects.get(user=user).config == {"clip_grad_norm": None, "epochs": ""}
    assert "Must be a whole number" in client.get(ADDRESS, {"tab": tab_of("epochs")}).text


def test_another_starting_point_keeps_the_changes(client, user, preset):
    other = make_preset("Other", {"training_method": "LORA", "lora_rank": 64, "batch_size": 4})
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "batch_size", "3")
    page = send(
        client, ADDRESS, tab_of("learning_rate"), "load", start=f"preset:{other.pk}", field__learning_rate="fast"
    )
    assert page.url == ADDRESS
    assert "with your changes applied" in client.get(ADDRESS).text
    assert [shown(client, field) for field in ("batch_size", "learning_rate", "lora_rank")] == ["3", "fast", "64"]


def test_another_start_without_the_changes_is_undone_in_one_step(client, user, preset):
    put(client, "batch_size", "3")
    data = inputs(client.get(ADDRESS).text) | {"start": f"preset:{preset.pk}", "do": "load"}
    del data["keep"]
    client.post(ADDRESS, data)
    assert shown(client, "lora_rank") == "8" and shown(client, "batch_size") == "1"
    send(client, ADDRESS, do="undo")
    assert Draft.objects.get().config == {"batch_size": 3}


def test_the_draft_is_saved_as_a_preset_and_stays(client, user, preset):
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "epochs", "7")
    assert send(client, ADDRESS, do="save-preset", **{"preset-name": "Mine/Stars"}).status_code == 302
    assert "version 1" in client.get(ADDRESS).text
    saved = Preset.objects.get(name="Mine/Stars")
    assert (saved.config, saved.owner) == (get_draft(user).config, user)
    assert saved.config["epochs"] == 7


def test_a_preset_that_cannot_be_saved_says_why_and_the_name_stays(client, user):
    answer = send(client, ADDRESS, do="save-preset", **{"preset-name": "too/many/folders"})
    assert answer.status_code == 400 and 'value="too/many/folders"' in answer.text
    assert not Preset.objects.exists()


def test_a_check_starts_nothing(client, user, preset):
    put(client, "concepts", concepts())
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts())
    assert "No problems found" in send(client, ADDRESS, do="check").text
    assert not Run.objects.exists()


def test_the_page_shows_the_last_input(client, user):
    put(client, "epochs", "9")
    assert shown(client, "epochs") == "9"
    client.force_login(make_user("grace", is_staff=True))
    assert shown(client, "epochs") == "100"


def test_a_runs_config_can_be_changed_and_trained_again(client, user):
    run = make_run("Stars", Run.Status.FINISHED, config=trainable_config(training_method="LORA"))
    assert "Loaded run Stars" in client.get(ADDRESS, {"run": run.pk}, follow=True).text
    put(client, "epochs", "3")
    send(client, ADDRESS, do="start", fact__name="Again")
    again = run.children.get()
    assert (again.name, again.config["epochs"], again.preset) == ("Again", 3, None)


@pytest.mark.parametrize("query", ["preset=99", "preset=x", "run=x"])
def test_a_start_that_is_not_there_is_not_found(client, user, query):
    assert client.get(f"{ADDRESS}?{query}").status_code == 404


def test_an_outdated_page_overwrites_nothing_and_shows_its_input(client, user):
    old = client.get(ADDRESS, {"tab": tab_of("epochs")}).text
    put(client, "epochs", "9")
    response = send(client, ADDRESS, page=old, field__epochs="7", fact__name="Mine")
    assert response.status_code == 409
    assert "changed in another window" in response.text
    assert "Epochs: <code>7</code>" in response.text and "name: <code>Mine</code>" in response.text
    assert inputs(response.text)["field:epochs"] == "9"
    assert Draft.objects.get(user=user).config == {"epochs": 9}


def test_with_the_queue_off_a_second_start_is_refused_in_a_sentence(client, user, preset, settings):
    settings.QUEUE = False
    make_run("First", Run.Status.RUNNING)
    client.get(ADDRESS, {"preset": preset.pk})
    put(client, "concepts", concepts())
    response = send(client, ADDRESS, do="start")
    assert "the queue is off" in client.get(response.url).text
    assert Run.objects.count() == 1


def test_a_viewer_cannot_start_a_run(client):
    client.force_login(make_user("vera"))
    assert client.get(reverse("new-run")).status_code == 403
    assert client.post(reverse("new-run")).status_code == 403


def test_a_check_shows_a_worker_s_results_as_they_come(client, user):
    make_living_worker(name="here:cpu", host="here")
    put(client, "concepts", concepts())
    page = send(client, ADDRESS, do="check").text
    assert f"/preflights/{Preflight.objects.get().pk}/" in page and "Waiting for a worker" in page
