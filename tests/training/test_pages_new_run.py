"""The form of a new run."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from presets.models import Draft
from tests.making import make_preset, make_run, make_user, trainable_config
from training.forms import ConfigForm
from training.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def preset():
    return make_preset("SD 1.5/LoRA", {"training_method": "LORA", "batch_size": 1, "lora_rank": 8})


def typed(base, **changes):
    """What a browser sends of the form as it was shown."""
    form = ConfigForm(base)
    texts = {name: item.text for name, item in form.fields.items() if item.kind != "switch" or item.text}
    return texts | changes


def pictures():
    return trainable_config()["concepts"][0]["path"]


def send(client, base_key, base, do="start", **changes):
    data = typed(base, **{name.replace("__", "."): value for name, value in changes.items()})
    return client.post(reverse("new-run"), data | {"base": base_key, "do": do})


def test_the_form_shows_the_presets_values(client, user, preset):
    page = client.get(reverse("new-run"), {"preset": preset.pk}).text
    assert 'name="lora_rank" value="8"' in page
    assert f'value="preset:{preset.pk}" selected' in page


def test_a_run_is_queued_with_only_what_was_changed_over_its_preset(client, user, preset):
    response = send(
        client, f"preset:{preset.pk}", preset.config, name="Mine", tags="a, b", concepts=pictures(), epochs="7"
    )
    run = Run.objects.get()
    assert response.url == run.get_absolute_url()
    assert (run.name, run.preset, run.owner, run.tags) == ("Mine", preset, user, ["a", "b"])
    assert (run.config["epochs"], run.config["lora_rank"]) == (7, 8)
    assert run.config["concepts"][0]["path"] == pictures()
    assert run.config["concepts"][0]["name"] == "stars"


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(client, user, preset):
    response = send(
        client,
        f"preset:{preset.pk}",
        preset.config,
        name="Mine",
        epochs="many",
        concepts="/nowhere/at/all",
        notes="remember this",
    )
    page = response.text
    assert response.status_code == 400
    assert not Run.objects.exists()
    assert 'id="field-epochs-error">Enter a whole number.' in page
    assert 'id="field-concepts-error"' in page
    assert 'value="many"' in page and "/nowhere/at/all" in page
    assert 'value="Mine"' in page and "remember this" in page


def test_an_error_of_a_field_that_is_not_on_the_form_is_named_at_the_last_one(client, user, preset):
    more = json.dumps({"clip_grad_norm": "loud"})
    response = send(client, f"preset:{preset.pk}", preset.config, concepts=pictures(), more=more)
    assert response.status_code == 400
    assert 'id="field-more-error">clip_grad_norm:' in response.text


@pytest.mark.parametrize("more", ["{", "[1]", '{"a": NaN}'])
def test_what_is_no_json_object_is_told(client, user, more):
    response = send(client, "", {}, concepts=pictures(), more=more)
    assert response.status_code == 400
    assert 'id="field-more-error"' in response.text


def test_further_fields_reach_the_run(client, user, preset):
    send(client, f"preset:{preset.pk}", preset.config, concepts=pictures(), more='{"clip_grad_norm": 0.5}')
    assert Run.objects.get().config["clip_grad_norm"] == 0.5


def test_a_switch_can_be_turned_off(client, user, preset):
    data = typed(preset.config, concepts=pictures()) | {"base": f"preset:{preset.pk}", "do": "start"}
    del data["text_encoder.train"]
    client.post(reverse("new-run"), data)
    assert Run.objects.get().config["text_encoder"]["train"] is False


def test_prompts_become_samples(client, user, preset):
    send(client, f"preset:{preset.pk}", preset.config, concepts=pictures(), samples="a star\r\n\r\na moon\r\n")
    assert [sample["prompt"] for sample in Run.objects.get().config["samples"]] == ["a star", "a moon"]


def test_another_start_keeps_what_was_typed(client, user, preset):
    other = make_preset("Other", {"lora_rank": 64, "batch_size": 4})
    data = typed(preset.config, batch_size="3", learning_rate="fast")
    data |= {"base": f"preset:{preset.pk}", "start": f"preset:{other.pk}", "do": "load", "name": "Mine"}
    page = client.post(reverse("new-run"), data, headers={"HX-Request": "true"}).text
    assert "<html" not in page
    assert 'name="batch_size" value="3"' in page
    assert 'name="learning_rate" value="fast"' in page
    assert 'name="lora_rank" value="64"' in page
    assert 'value="Mine"' in page
    assert f'name="base" value="preset:{other.pk}"' in page


def test_a_check_starts_nothing(client, user, preset):
    response = send(client, f"preset:{preset.pk}", preset.config, do="check", concepts=pictures())
    assert "Everything checks out" in response.text
    assert not Run.objects.exists()


def test_the_form_takes_up_what_was_typed_last(client, user):
    send(client, "", {}, epochs="9", concepts="/nowhere")
    assert Draft.objects.get(user=user, preset=None).config["epochs"] == 9
    page = client.get(reverse("new-run")).text
    assert 'name="epochs" value="9"' in page and "/nowhere" in page


def test_a_runs_config_can_be_changed_and_trained_again(client, user):
    run = make_run("Stars", Run.Status.FINISHED)
    assert "The run Stars" in client.get(reverse("new-run"), {"run": run.pk}).text
    changed = {"training_method": "LORA", "batch_size": "1", "epochs": "3", "name": "Again"}
    send(client, f"run:{run.pk}", run.config, **changed)
    again = run.children.get()
    assert (again.name, again.config["epochs"]) == ("Again", 3)


@pytest.mark.parametrize("query", ["preset=99", "preset=x", "run=x"])
def test_a_start_that_is_not_there_is_not_found(client, user, query):
    assert client.get(f"{reverse('new-run')}?{query}").status_code == 404


def test_a_viewer_cannot_start_a_run(client):
    client.force_login(make_user("vera"))
    assert client.get(reverse("new-run")).status_code == 403
    assert client.post(reverse("new-run")).status_code == 403
