"""The editor's pages without JavaScript, and the responses to its scripts."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from django.utils.html import escape

from engine import engines
from presets.editor import drafts
from presets.editor import views as views_editor
from presets.editor.form import form_of
from presets.models import Draft, Preset
from tests.making import make_preset, make_user
from tests.markup import squeezed
from tests.presets.editor.editor_client import inputs, send

pytestmark = pytest.mark.django_db
RUN = "/runs/new/"


@pytest.fixture(autouse=True)
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def draft(user):
    return drafts.get_draft(user)


@pytest.fixture
def preset():
    return make_preset("SD 1.5/LoRA", {"batch_size": 2}, description="Small and quick.")


def tab_of(path):
    return form_of("builtin").nearest(path).tab


def edit(client, draft, **asked):
    asked = {"revision": draft.revision, "tab": tab_of("epochs"), "seen": {}} | asked
    return client.post(reverse("draft-edit", args=[draft.pk]), json.dumps(asked), content_type="application/json")


def address(preset):
    return reverse("preset-edit", args=[preset.pk])


# -- pages -------------------------------------------------------------------------------------------------------------


def test_every_tab_is_shown_and_small(client, draft):
    for tab in form_of("builtin").tabs:
        page = client.get(RUN, {"tab": tab.id})
        assert page.status_code == 200
        assert f'data-tab="{tab.id}"' in page.text
        assert len(page.content) < 300_000, tab.id


def test_a_changed_field_is_marked_and_its_default_is_one_click_away(client, draft):
    drafts.apply(draft, 0, [{"field": "epochs", "value": 7}])
    page = client.get(RUN, {"tab": tab_of("epochs")}).text
    assert 'class="field is-changed " id="field-epochs"' in squeezed(page)
    assert 'name="reset" value="epochs" title="Default: 100"' in squeezed(page)
    send(client, RUN, tab_of("epochs"), do="", reset="epochs")
    assert Draft.objects.get().config == {}


def test_the_presets_value_is_one_click_away_too(client, draft):
    drafts.load(draft, 0, "preset:1", "preset Small", {"epochs": 20})
    drafts.apply(draft, 1, [{"field": "epochs", "value": 7}])
    page = client.get(RUN, {"tab": tab_of("epochs")}).text
    assert 'title="preset Small has: 20"' in page and 'title="Default: 100"' in page
    data = {"revision": "2", "tab": tab_of("epochs"), "reset-start": "epochs"}
    client.post(RUN, data)
    assert Draft.objects.get().config == {"epochs": 20}


def test_any_wrong_value_is_shown_unchanged(client, draft):
    wrong = {"epochs": [1, 2], "ema": "SOMETIMES", "text_encoder": {"train": "perhaps"}, "concepts": "many"}
    drafts.replace_config(draft, 0, wrong)
    assert inputs(client.get(RUN, {"tab": tab_of("epochs")}).text)["field:epochs"] == "[1, 2]"
    assert "SOMETIMES (no choice of this field)" in client.get(RUN, {"tab": tab_of("ema")}).text
    for tab in form_of("builtin").tabs:
        assert client.get(RUN, {"tab": tab.id}).status_code == 200
    send(client, RUN, tab_of("epochs"))
    assert Draft.objects.get().config == wrong


@pytest.mark.parametrize("verb", ["undo", "redo"])
def test_the_buttons_undo_and_redo_name_the_step(client, draft, verb):
    drafts.apply(draft, 0, [{"field": "epochs", "value": 7}], "Change Epochs")
    if verb == "redo":
        drafts.undo(draft, 1)
    assert f"{verb.capitalize()}: Change Epochs" in client.get(RUN).text
    send(client, RUN, do=verb)
    assert Draft.objects.get().config == ({} if verb == "undo" else {"epochs": 7})


@pytest.mark.parametrize("do", ["undo", "start", "load"])
def test_a_button_of_an_outdated_page_changes_nothing_and_says_so(client, draft, do):
    old = client.get(RUN).text
    drafts.apply(draft, 0, [{"field": "epochs", "value": 7}])
    response = send(client, RUN, do=do, page=old)
    assert response.status_code == 409 and "changed in another window" in response.text
    assert Draft.objects.get().config == {"epochs": 7}


def test_undo_without_a_step_is_refused_with_the_reason(client, draft):
    assert "nothing to undo" in client.get(send(client, RUN, do="undo").url).text


def test_a_field_is_found_in_all_tabs_by_name_label_and_help(client, draft):
    for words in ("gradient_accumulation_steps", "gradient accumulation", "added up before"):
        page = client.get(RUN, {"q": words}).text
        assert "#field-gradient_accumulation_steps" in page
    assert "No field has “flux capacitor”" in client.get(RUN, {"q": "flux capacitor"}).text


def test_the_json_is_shown_and_applied(client, draft):
    drafts.apply(draft, 0, [{"field": "epochs", "value": 7}])
    assert "&quot;epochs&quot;: 7" in client.get(RUN, {"json": 1}).text
    data = {"revision": 1, "text": '{"batch_size": 3, "unheard_of": [1]}', "do": "apply"}
    response = client.post(reverse("draft-json", args=[draft.pk]), data)
    assert response.status_code == 302
    assert Draft.objects.get().config == {"batch_size": 3, "unheard_of": [1]}
    drafts.undo(Draft.objects.get(), 2)
    assert Draft.objects.get().config == {"epochs": 7}


@pytest.mark.parametrize("text", ["{", "[]", "", '{"a": NaN}', "[" * 5000, '{"tags": "\\ud800"}'])
def test_a_text_that_is_not_a_config_is_refused_and_stays_in_the_input(client, draft, text):
    data = {"revision": 0, "text": text, "do": "apply"}
    response = client.post(reverse("draft-json", args=[draft.pk]), data)
    assert response.status_code == 400 and 'role="alert"' in response.text
    assert inputs_text(response.text) == text
    assert Draft.objects.get().config == {}


def inputs_text(page):
    return (
        page.partition('id="json-text"')[2]
        .partition(">")[2]
        .partition("</textarea>")[0]
        .strip("\n")
        .replace("&quot;", '"')
    )


def test_the_json_is_checked_by_path_and_line(client, draft):
    text = '{\n  "epochs": "many",\n  "unheard_of": 1,\n  "optimizer": {\n    "optimizer": "MAGIC"\n  }\n}'
    page = client.post(reverse("draft-json", args=[draft.pk]), {"text": text}).text
    assert 'data-line="2">Line 2</button><code>epochs</code>' in squeezed(page)
    assert 'data-line="5">Line 5</button><code>optimizer.optimizer</code>' in squeezed(page)
    assert "<code>unheard_of</code>This field is unknown: it is kept" in squeezed(page)
    broken = client.post(reverse("draft-json", args=[draft.pk]), {"text": '{\n"a": 1,\n}'}).text
    assert 'data-line="3"' in broken


def test_the_report_of_a_translation_is_shown_when_the_text_is_applied_with_and_without_scripts(client, draft):
    text = 'network_module = "networks.lora"\ntrain_data_dir = "/stars"\nnetwork_dim = 8\nsample_prompts = "a.txt"'
    data = {"revision": 0, "text": text, "do": "apply"}
    by_script = client.post(reverse("draft-json", args=[draft.pk]), data, headers={"X-Requested-With": "editor"})
    notes = by_script.json()["notes"]
    assert notes[0] == "It is a config of kohya's sd-scripts, and was translated: check the result."
    assert any(note.startswith("sample_prompts (a.txt) was not translated") for note in notes)
    page = client.post(reverse("draft-json", args=[draft.pk]), {**data, "revision": 1}, follow=True)
    assert all(escape(note) in page.text for note in notes)


def test_json_based_on_an_older_revision_overwrites_nothing(client, draft):
    drafts.apply(draft, 0, [{"field": "epochs", "value": 7}])
    data = {"revision": 0, "text": '{"batch_size": 3}', "do": "apply"}
    response = client.post(reverse("draft-json", args=[draft.pk]), data)
    assert response.status_code == 409 and "batch_size" in response.text
    assert Draft.objects.get().config == {"epochs": 7}


# -- presets -----------------------------------------------------------------------------------------------------------


def test_a_presets_draft_is_saved_as_its_next_version(client, user, preset):
    send(client, address(preset), tab_of("epochs"), field__epochs="7")
    assert preset.versions.count() == 1
    response = send(client, address(preset), do="save-version", fact__note="Longer", fact__name="SD 1.5/Long")
    assert response.url == reverse("preset", args=[preset.pk])
    preset.refresh_from_db()
    newest = preset.versions.first()
    assert (preset.name, preset.description, preset.version) == ("SD 1.5/Long", "Small and quick.", 2)
    assert (newest.config, newest.note, newest.created_by) == ({"batch_size": 2, "epochs": 7}, "Longer", user)
    assert not Draft.objects.exists()


def test_a_new_name_alone_adds_no_version(client, preset):
    send(client, address(preset), do="save-version", fact__name="Else")
    preset.refresh_from_db()
    assert (preset.name, preset.version) == ("Else", 1)


def test_a_presets_draft_is_kept_until_it_is_discarded(client, preset):
    send(client, address(preset), tab_of("epochs"), field__epochs="7")
    assert inputs(client.get(address(preset), {"tab": tab_of("epochs")}).text)["field:epochs"] == "7"
    send(client, address(preset), do="discard")
    assert inputs(client.get(address(preset), {"tab": tab_of("epochs")}).text)["field:epochs"] == "100"
    assert Preset.objects.get().version == 1


def test_a_version_that_was_saved_since_is_named(client, preset):
    send(client, address(preset), tab_of("epochs"), field__epochs="7")
    preset.save_version({"batch_size": 8})
    assert "Version 2 was saved after you started from version 1" in client.get(address(preset)).text


def test_an_unchanged_draft_follows_the_preset(client, preset):
    client.get(address(preset))
    preset.save_version({"batch_size": 8})
    assert inputs(client.get(address(preset), {"tab": tab_of("batch_size")}).text)["field:batch_size"] == "8"


def test_a_preset_with_errors_or_a_taken_name_is_not_saved(client, preset):
    make_preset("Taken")
    response = send(client, address(preset), do="save-version", fact__name="Taken")
    assert response.status_code == 400 and "choose another name" in response.text
    response = send(
        client, address(preset), tab_of("epochs"), "save-version", field__epochs="many", fact__name=preset.name
    )
    assert response.status_code == 400 and "must be a whole number" in response.text
    assert preset.versions.count() == 1


# -- requests of the scripts -------------------------------------------------------------------------------------------


def test_a_change_is_answered_with_the_parts_that_differ(client, draft):
    first = edit(client, draft).json()
    seen = {path: html.partition('data-state="')[2].partition('"')[0] for path, html in first["fields"].items()}
    answer = edit(client, draft, seen=seen, changes=[{"field": "epochs", "text": "many"}]).json()
    assert list(answer["fields"]) == ["epochs"]
    assert "Must be a whole number" in answer["fields"]["epochs"]
    assert (answer["revision"], "1 error" in answer["parts"]["editor-problems"]) == (1, True)
    assert "Undo: Change Epochs" in answer["parts"]["editor-history"]
    assert "editor-tab" not in answer["parts"]


def test_another_tab_is_sent_as_a_whole(client, draft):
    answer = client.post(
        reverse("draft-edit", args=[draft.pk]),
        json.dumps({"revision": 0, "tab": tab_of("lora_rank")}),
        content_type="application/json",
    ).json()
    assert 'id="field-lora_rank"' in answer["parts"]["editor-tab"] and answer["fields"] == {}


def test_a_script_can_undo_reset_and_set_facts(client, draft):
    edit(client, draft, changes=[{"field": "epochs", "text": "7"}], facts={"name": "Mine"})
    draft.refresh_from_db()
    assert (draft.config, draft.facts["name"]) == ({"epochs": 7}, "Mine")
    answer = edit(client, draft, reset="epochs").json()
    draft.refresh_from_db()
    assert draft.config == {} and "Reset Epochs" in answer["parts"]["editor-history"]
    assert edit(client, draft, do="undo").json()["facts"]["name"] == "Mine"
    draft.refresh_from_db()
    assert draft.config == {"epochs": 7}


def test_the_last_change_of_a_page_is_saved_after_the_pages_own_earlier_change(client, draft):
    edit(client, draft, changes=[{"field": "epochs", "text": "7"}], facts={"name": "Mine"})
    assert edit(client, draft, own=2, changes=[{"field": "epochs", "text": "8"}]).status_code == 200
    assert edit(client, draft, own=2, changes=[{"field": "epochs", "text": "9"}]).status_code == 409
    assert Draft.objects.get().config == {"epochs": 8}


def test_the_last_change_of_a_page_is_retried_after_a_simultaneous_change_of_the_same_page(client, draft, monkeypatch):
    read = views_editor._draft

    def read_and_wait(request, pk):
        monkeypatch.setattr(views_editor, "_draft", read)
        found = read(request, pk)
        edit(client, draft, changes=[{"field": "batch_size", "text": "3"}], facts={"name": "Mine"})
        return found

    monkeypatch.setattr(views_editor, "_draft", read_and_wait)
    assert edit(client, draft, own=2, changes=[{"field": "epochs", "text": "8"}]).status_code == 200
    assert Draft.objects.get().config == {"batch_size": 3, "epochs": 8}


def test_an_outdated_window_is_informed_and_overwrites_nothing(client, draft):
    edit(client, draft, changes=[{"field": "epochs", "text": "7"}])
    answer = edit(client, draft, changes=[{"field": "epochs", "text": "9"}])
    assert answer.status_code == 409
    assert (answer.json()["revision"], "changed elsewhere" in answer.json()["detail"]) == (1, True)
    assert client.get(reverse("draft-revision", args=[draft.pk])).json() == {"revision": 1}
    assert Draft.objects.get().config == {"epochs": 7}


@pytest.mark.parametrize(
    "asked",
    [
        {"revision": "new"},
        {"revision": None},
        {"changes": "many"},
        {"changes": [1]},
        {"changes": [{"field": "unheard.of", "text": "1"}]},
        {"changes": [{"field": "secrets.huggingface_token", "value": "hf_x"}]},
        {"facts": ["name"]},
        {"facts": {"name": 1}},
        {"facts": {"name": "x" * 201}},
        {"facts": "name"},
    ],
)
def test_an_invalid_request_is_refused_with_a_sentence(client, draft, asked):
    answer = edit(client, draft, **asked)
    assert answer.status_code == 400 and answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"\\u0000"', b'{"facts": {"name": "\\udfff"}}'])
def test_a_body_that_is_not_json_is_refused_with_a_sentence(client, draft, body):
    answer = client.post(reverse("draft-edit", args=[draft.pk]), body, content_type="application/json")
    assert answer.status_code == 400 and answer.json()["detail"]


@pytest.mark.parametrize("name", ["draft-edit", "draft-json", "draft-find", "draft-revision"])
def test_nobody_reads_or_changes_another_users_draft(client, draft, name):
    client.force_login(make_user("grace", is_staff=True))
    for call in (client.get, client.post):
        assert call(reverse(name, args=[draft.pk])).status_code in (404, 405)
    client.force_login(make_user("vera"))
    assert client.post(reverse("draft-edit", args=[draft.pk])).status_code == 403


# -- trainers and presets that cannot be edited here -------------------------------------------------------------------


@pytest.fixture
def engine_away(monkeypatch, draft):
    """The draft's trainer is OneTrainer, whose checkout has been removed."""
    monkeypatch.setitem(engines.ENGINES, "onetrainer", engines.ONETRAINER)
    monkeypatch.setenv("ONETRAINER_HOME", "/nowhere/onetrainer")
    Draft.objects.update(engine="onetrainer")


@pytest.mark.usefixtures("engine_away")
def test_an_unavailable_trainer_is_named_with_the_reason_and_another_is_offered(client, draft):
    page = client.get(RUN)
    assert page.status_code == 503
    assert "OneTrainer is not available now." in page.text and "Continue with Built-in trainer" in page.text
    assert edit(client, draft).status_code == 400
    assert client.get(reverse("draft-find", args=[draft.pk]), {"q": "epochs"}).status_code == 400
    assert client.post(RUN, {"engine": "builtin"}).url == RUN
    page = client.get(RUN).text
    assert '<option value="onetrainer" disabled>OneTrainer – not available</option>' in squeezed(page)
    assert 'id="engine-why">OneTrainer: ' in page


def test_a_preset_that_ships_with_the_site_must_be_copied_before_editing(client, preset):
    Preset.objects.update(source=Preset.Source.SHIPPED)
    page = client.get(address(preset), follow=True)
    assert page.redirect_chain == [(reverse("preset", args=[preset.pk]), 302)]
    assert "make a copy to change it" in page.text
    assert not Draft.objects.filter(preset=preset).exists()


def test_a_new_preset_is_named_and_then_edited(client):
    response = client.post(reverse("preset-new"), {"name": "SD 1.5/New"})
    made = Preset.objects.get(name="SD 1.5/New")
    assert response.url == address(made) and made.config == {}


def test_a_unit_is_shown_only_if_the_title_does_not_name_it():
    shown = {path: form_of("builtin").specs[path].suffix for path in ("epochs", "batch_size", "resolution")}
    assert shown == {"epochs": "", "batch_size": "pictures", "resolution": "px"}
