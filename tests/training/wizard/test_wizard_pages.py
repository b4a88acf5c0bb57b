"""The wizard's pages, used as by a browser without JavaScript."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from PIL import Image

from engine.engines import ENGINES
from presets.config import configs
from presets.editor import drafts
from presets.models import Draft, Preflight
from system.models import Worker
from tests.making import make_living_worker, make_run, make_user, trainable_config
from training.models import Run

pytestmark = pytest.mark.django_db
DEMO = settings.BASE_DIR / "engine" / "demo"
ANSWERS = {
    "pictures": {"folder": str(DEMO / "dataset")},
    "subject": {"kind": "thing", "word": "stars"},
    "model": {"model": str(DEMO / "model")},
    "memory": {"device": "cpu 0 CPU"},
    "time": {"time": "hour"},
}


@pytest.fixture
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def a_gpu_worker():
    """A worker whose host has one GPU: the site then offers the CPU without its facts, the same on every machine."""
    gpus = [{"id": 0, "name": "NVIDIA GeForce RTX 3060", "memory_total_gb": 12.0}]
    return make_living_worker(name="host:gpu0", host="host", gpu="0", resources={"gpus": gpus})


def send(client, step, do="next", **given):
    return client.post(reverse("wizard-step", args=[step]), {**ANSWERS[step], **given, "do": do})


def walk(client, until=None, **given):
    for step in ANSWERS:
        if step == until:
            return None
        response = send(client, step, **given.get(step, {}))
        assert response.status_code == 302, response.text
    return response


def page(client, step):
    return client.get(reverse("wizard-step", args=[step]))


def folder_of(tmp_path, count, captions=0):
    folder = settings.DATA_DIR / "datasets" / tmp_path.name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (600, 800), (number, 0, 0)).save(folder / f"{number}.png")
        if number < captions:
            (folder / f"{number}.txt").write_text(f"picture {number}")
    return str(folder)


def test_five_answers_make_a_valid_draft(client, user):
    assert walk(client).url == reverse("wizard-review")
    draft = Draft.objects.get(user=user, preset=None)
    assert (draft.facts["name"], draft.start) == ("stars on Tiny Stable Diffusion", "wizard")
    assert draft.config["concepts"][0]["path"] == str(DEMO / "dataset")
    assert "600 steps" in draft.facts["notes"]
    assert not [one for one in configs.validate(draft.config, draft.engine) if one.is_error]


def test_one_undo_reverts_loading_the_recipe(client, user):
    drafts.apply(drafts.get_draft(user), 0, [{"field": "epochs", "value": 7}])
    walk(client)
    draft = Draft.objects.get(user=user, preset=None)
    assert draft.steps.count() == 2
    back = drafts.undo(draft, draft.revision)
    assert (back.config, back.facts.get("name")) == ({"epochs": 7}, None)


def test_the_editor_can_start_again_from_the_recipe(client, user):
    walk(client)
    draft = Draft.objects.get(user=user)
    assert '<option value="wizard" selected>' in client.get(reverse("new-run")).text
    changed = drafts.apply(draft, draft.revision, [{"field": "epochs", "value": 7}])
    client.post(reverse("new-run"), {"do": "load", "start": "wizard", "revision": changed.revision})
    again = Draft.objects.get(user=user)
    assert (again.config["epochs"], again.start) == (300, "wizard")


def test_the_wizard_begins_with_the_first_question(client, user):
    assert client.get(reverse("wizard")).url == reverse("wizard-step", args=["pictures"])


def test_a_later_question_redirects_to_the_first_question_without_an_answer(client, user):
    assert page(client, "time").url == reverse("wizard-step", args=["pictures"])
    send(client, "pictures")
    assert page(client, "time").url == reverse("wizard-step", args=["subject"])


def test_an_answer_is_refused_before_the_earlier_questions_are_answered(client, user):
    assert send(client, "time").url == reverse("wizard-step", args=["pictures"])
    assert not Draft.objects.exists()


def test_answers_survive_a_reload_and_going_back(client, user):
    walk(client, until="model")
    assert send(client, "model", do="back").url == reverse("wizard-step", args=["subject"])
    assert re.search('value="thing"\\s* checked', page(client, "subject").text)
    assert f'value="{DEMO / "model"}" checked' in page(client, "model").text


def test_an_invalid_answer_stays_in_its_field(client, user):
    send(client, "pictures", folder="/nowhere/at/all")
    assert 'value="/nowhere/at/all"' in page(client, "pictures").text


def check_refused(client, step, sentence, **given):
    response = send(client, step, **given)
    assert response.status_code == 400
    assert sentence in response.text.replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("", "Enter the folder with your pictures."),
        ("/etc", "is outside the allowed folders"),
        (str(DEMO / "nowhere"), "does not exist: check its spelling."),
        (str(DEMO / "config.json"), "is a file: enter its folder."),
        ("a\x00b", "A path cannot contain NUL characters."),
    ],
)
def test_an_unusable_folder_is_refused(client, user, folder, sentence):
    check_refused(client, "pictures", sentence, folder=folder)


def test_an_empty_folder_is_refused(client, user, tmp_path):
    check_refused(client, "pictures", "has no pictures: add some", folder=folder_of(tmp_path, 0))


def test_the_pictures_are_shown_with_their_captions(client, user):
    send(client, "pictures")
    shown = page(client, "subject").text
    assert "<strong>16</strong> pictures" in shown and "a red star on white background" in shown
    assert reverse("concept-picture") in shown


def test_too_few_pictures_are_refused(client, user, tmp_path):
    check_refused(client, "pictures", "has 3 pictures, too few to train on", folder=folder_of(tmp_path, 3))


def test_links_to_files_outside_the_allowed_folders_are_ignored(client, user, tmp_path, tmp_path_factory, settings):
    folder = Path(folder_of(tmp_path, 3))
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    Image.new("RGB", (64, 64)).save(secret)
    (folder / "link.png").symlink_to(secret)
    settings.ALLOWED_ROOTS = [tmp_path]
    check_refused(client, "pictures", "has 3 pictures, too few to train on", folder=str(folder))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"kind": ""}, "Choose what the pictures show."),
        ({"kind": "gods"}, "Choose what the pictures show."),
        ({"word": " "}, "Enter a trigger word"),
        ({"word": "x" * 61}, "Enter a trigger word"),
        ({"word": "a\x00b"}, "Enter a trigger word"),
    ],
)
def test_an_invalid_subject_is_refused(client, user, given, sentence):
    walk(client, until="subject")
    check_refused(client, "subject", sentence, **given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": ""}, "Choose a base model."),
        ({"model": "other", "other_model": ""}, "Choose a base model."),
        ({"model": "other", "other_model": "/etc/passwd"}, "is outside the allowed folders"),
        ({"model": "other", "other_model": str(DEMO / "dataset")}, "is not a supported base model"),
        ({"model": "other", "other_model": str(DEMO / "nowhere")}, "does not exist"),
        ({"model": "other", "other_model": "no--name/here"}, "is neither a path nor a name such as owner/model"),
        ({"model": "black-forest-labs/FLUX.1-dev"}, "cannot be trained by the engines of this site"),
    ],
)
def test_an_unusable_model_is_refused(client, user, given, sentence):
    walk(client, until="model")
    check_refused(client, "model", sentence, **given)


def test_any_name_on_the_hub_is_taken_and_the_reasons_name_the_assumed_family(client, user):
    name = {"model": "other", "other_model": "someone/dreamy-photos"}
    walk(client, model=name, memory={"device": "other", "gigabytes": "24"}, time={"time": "night"})
    draft = Draft.objects.get(user=user)
    assert draft.config["base_model_name"] == "someone/dreamy-photos"
    assert "someone/dreamy-photos is not on this machine yet: Stable Diffusion 1.5 is assumed" in draft.facts["notes"]


def test_a_model_that_only_another_engine_trains_is_offered_if_that_engine_is_available(client, user, monkeypatch):
    walk(client, until="model")
    types = {"properties": {"model_type": {"enum": ["STABLE_DIFFUSION_15", "FLUX_DEV_1"]}}}
    other = replace(ENGINES["builtin"], name="onetrainer", schema=lambda: types)
    monkeypatch.setitem(ENGINES, "onetrainer", other)
    assert "FLUX.1 dev" in page(client, "model").text
    flux = "black-forest-labs/FLUX.1-dev"
    walk(client, model={"model": flux}, memory={"device": "other", "gigabytes": "24"}, time={"time": "night"})
    draft = Draft.objects.get(user=user)
    assert (draft.engine, draft.config["model_type"]) == ("onetrainer", "FLUX_DEV_1")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"device": "cuda 900 Dream"}, "Choose a device to train on."),
        ({"device": "other", "gigabytes": "lots"}, "Enter the GPU's memory in GB"),
        ({"device": "other", "gigabytes": "-1"}, "Enter a number above 0"),
        ({"device": "other", "gigabytes": "inf"}, "Enter a number above 0"),
        ({"device": "other", "gigabytes": "1"}, "Stable Diffusion 1.5 needs about"),
    ],
)
def test_an_invalid_memory_is_refused(client, user, given, sentence):
    walk(client, until="memory", model={"model": "stable-diffusion-v1-5/stable-diffusion-v1-5"})
    check_refused(client, "memory", sentence, **given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"time": ""}, "Choose how long it may take."),
        ({"time": "other", "minutes": "soon"}, "Enter the minutes as a number"),
        ({"time": "other", "minutes": "0.1"}, "allow at least"),
    ],
)
def test_an_invalid_time_is_refused(client, user, given, sentence):
    walk(client, until="time")
    check_refused(client, "time", sentence, **given)


def test_the_memory_is_filled_in_from_the_worker(client, user):
    walk(client, until="memory")
    assert 'value="cuda 12 NVIDIA GeForce RTX 3060" checked' in page(client, "memory").text


def test_without_a_worker_the_site_offers_the_devices_of_its_own_machine(client, user):
    Worker.objects.all().delete()
    walk(client, until="memory")
    assert page(client, "memory").text.count('name="device"') >= 2


def test_pictures_without_captions_share_a_caption_file(client, user, tmp_path):
    folder = folder_of(tmp_path, 5, captions=2)
    walk(client, pictures={"folder": folder}, subject={"kind": "person", "word": "Anna"})
    draft = Draft.objects.get(user=user)
    (concept,) = draft.config["concepts"]
    assert concept["text"]["prompt_source"] == "concept"
    assert Path(concept["text"]["prompt_path"]).read_text() == "a photo of Anna person\n"
    assert "3 of them have no caption" in draft.facts["notes"]
    assert not [one for one in configs.validate(draft.config, draft.engine) if one.is_error]


def test_pictures_in_subfolders_are_found_if_the_folder_has_none(client, user, tmp_path):
    inner = Path(folder_of(tmp_path, 0)) / "inner"
    inner.mkdir(exist_ok=True)
    for file in Path(folder_of(tmp_path, 4)).glob("*.png"):
        file.rename(inner / file.name)
    walk(client, pictures={"folder": str(inner.parent)})
    assert Draft.objects.get(user=user).config["concepts"][0]["include_subdirectories"] is True


def test_a_measured_speed_replaces_the_estimate(client, user):
    make_living_worker(name="host:cpu", host="host", device_name="CPU")
    shape = {"model_type": "STABLE_DIFFUSION_15", "training_method": "LORA", "resolution": "64", "batch_size": 8}
    worker = Worker.objects.get(name="host:cpu")
    make_run("Earlier", Run.Status.FINISHED, worker=worker, steps_per_second=0.5, config=trainable_config(**shape))
    walk(client)
    assert "at 4.0 pictures a second (measured in earlier runs)" in Draft.objects.get(user=user).facts["notes"]


def test_the_reasons_are_shown_until_they_are_dismissed(client, user):
    walk(client)
    assert "Why these settings" in client.get(reverse("new-run")).text
    assert client.post(reverse("wizard-dismiss")).url == reverse("new-run")
    assert "Why these settings" not in client.get(reverse("new-run")).text


def test_a_preflight_of_the_draft_is_requested(client, user):
    walk(client)
    preflight = Preflight.objects.get(user=user)
    assert preflight.config["epochs"] == Draft.objects.get(user=user).config["epochs"]
    assert reverse("preflight", args=[preflight.pk]) in client.get(reverse("new-run")).text
    Preflight.objects.all().delete()
    assert reverse("preflight", args=[preflight.pk]) not in client.get(reverse("new-run")).text


def test_the_review_page_shows_the_plan_and_its_button_starts_the_run(client, user):
    walk(client)
    review = client.get(reverse("wizard-review")).text
    for text in ("The plan", "16 pictures", "Trigger word", "about ", "Why these settings", "Start training"):
        assert text in review
    draft = Draft.objects.get(user=user)
    Worker.objects.all().delete()  # so that no check is waited for
    answer = client.post(reverse("new-run"), {"do": "start", "revision": draft.revision})
    assert Run.objects.get().get_absolute_url() == answer.url
    draft.refresh_from_db()
    drafts.apply(draft, draft.revision, [{"field": "epochs", "value": 7}])
    assert "The settings were changed in the editor" in client.get(reverse("wizard-review")).text


def test_the_review_page_leads_to_the_questions_while_there_is_no_plan(client, user):
    assert client.get(reverse("wizard-review")).url == reverse("wizard")


@pytest.mark.parametrize(
    ("typed", "caption"),
    [
        ({"kind": "animal", "word": "rex", "class_word": "dog"}, "a photo of rex dog"),
        ({"kind": "animal", "word": "rex"}, "a photo of rex animal"),
        ({"kind": "other", "word": "zwx glow"}, "zwx glow"),
        ({"kind": "style", "word": "zwx", "class_word": "watercolour"}, "zwx watercolour"),
        ({"kind": "person", "word": "Anna", "caption": "Anna at  work"}, "Anna at work"),
        ({"kind": "person", "word": "Ann", "caption": "a photo of x person", "offered_caption": "a photo of x person"},
         "a photo of Ann person"),
    ],
)  # fmt: skip
def test_the_shared_caption_has_the_class_word_or_is_the_users_own(client, user, tmp_path, typed, caption):
    walk(client, pictures={"folder": folder_of(tmp_path, 5)}, subject=typed)
    text = Draft.objects.get(user=user).config["concepts"][0]["text"]
    assert Path(text["prompt_path"]).read_text() == f"{caption}\n"
    assert f"“{caption}”" in client.get(reverse("wizard-review")).text


def test_each_offered_time_says_how_long_it_takes_here(client, user):
    walk(client, until="time")
    assert page(client, "time").text.count("Takes about") == 3


def test_an_unknown_question_is_not_found(client, user):
    assert page(client, "name").status_code == 404
    assert client.post(reverse("wizard-step", args=["name"])).status_code == 404


def test_a_viewer_is_refused(client):
    client.force_login(make_user("vera"))
    assert client.get(reverse("wizard")).status_code == 403
    assert page(client, "pictures").status_code == 403
    assert send(client, "pictures").status_code == 403
    assert client.post(reverse("wizard-dismiss")).status_code == 403


def test_pages_that_begin_a_run_lead_to_the_wizard(client, user):
    for name in ("dashboard", "runs", "new-run"):
        assert reverse("wizard") in client.get(reverse(name)).text
