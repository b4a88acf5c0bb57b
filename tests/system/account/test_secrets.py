"""Tokens for hubs: encrypted, each user's own, and never in a config."""

from __future__ import annotations

import pytest
from django.urls import reverse

from engine.tokens import without_secrets
from presets.config import configs
from presets.models import Draft, Preset, Secret
from system.account import secrets
from tests.api import trainer, viewer
from tests.making import make_user, trainable_config
from training.models import Run
from web.errors import BadInput

pytestmark = pytest.mark.django_db
TOKEN = "hf_verySecret123"


def test_a_token_is_stored_encrypted_and_read_only_by_its_owner():
    ada, bob = make_user("ada"), make_user("bob")
    secrets.set_secret(ada, "huggingface_token", TOKEN)
    assert TOKEN.encode() not in bytes(Secret.objects.get().ciphertext)
    assert secrets.get_secrets(ada) == {"huggingface_token": TOKEN}
    assert secrets.environment(ada) == {"HF_TOKEN": TOKEN}
    assert secrets.get_secrets(bob) == {} and secrets.environment(None) == {}


def test_a_new_token_replaces_the_old_one_and_can_be_removed():
    ada = make_user()
    secrets.set_secret(ada, "huggingface_token", "hf_old")
    secrets.set_secret(ada, "huggingface_token", TOKEN)
    assert secrets.get_secrets(ada) == {"huggingface_token": TOKEN} and Secret.objects.count() == 1
    secrets.remove_secret(ada, "huggingface_token")
    assert secrets.get_secrets(ada) == {}


def test_a_changed_site_key_is_reported_with_its_fix(settings):
    ada = make_user()
    secrets.set_secret(ada, "huggingface_token", TOKEN)
    settings.SECRET_KEY = "another"
    with pytest.raises(secrets.Unreadable, match="enter the token again on the account page"):
        secrets.get_secrets(ada)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("other", "x"),
        *(("huggingface_token", value) for value in ("", "a b", "x\ny", "é", "x" * 1001, 7, ["x"])),
    ],
)
def test_an_invalid_token_is_refused_by_its_name(name, value):
    with pytest.raises(BadInput) as refused:
        secrets.set_secret(make_user(), name, value)
    assert name in refused.value.errors and not Secret.objects.exists()


def test_the_api_saves_a_token_and_never_returns_it():
    client = viewer()
    assert client.get("/api/me/secrets").json()["secrets"][0]["is_set"] is False
    answer = client.put("/api/me/secrets", {"huggingface_token": TOKEN})
    assert answer.status_code == 200 and TOKEN not in answer.content.decode()
    shown = client.get("/api/me/secrets").json()["secrets"]
    assert shown[0]["name"] == "huggingface_token" and shown[0]["is_set"] and shown[0]["updated_at"]
    assert client.put("/api/me/secrets", {"huggingface_token": None}).json()["secrets"][0]["is_set"] is False
    assert viewer("bob").get("/api/me/secrets").json()["secrets"][0]["is_set"] is False


@pytest.mark.parametrize("body", [[], {"other": "x"}, {"huggingface_token": {}}, {"huggingface_token": "a b"}])
def test_the_api_refuses_an_invalid_token(body):
    answer = viewer().put("/api/me/secrets", body)
    assert answer.status_code == 400 and not Secret.objects.exists()


def test_none_of_several_tokens_is_set_if_one_is_invalid():
    answer = viewer().put("/api/me/secrets", {"huggingface_token": TOKEN, "other": "x"})
    assert answer.status_code == 400 and "other" in answer.json()["errors"] and not Secret.objects.exists()


def test_the_account_page_sets_and_removes_a_token_and_never_shows_it(client):
    user = make_user()
    client.force_login(user)
    page = client.post(reverse("change-secret"), {"name": "huggingface_token", "value": TOKEN}, follow=True).text
    assert "was saved" in page and "Replace" in page and TOKEN not in page
    assert secrets.get_secrets(user) == {"huggingface_token": TOKEN}
    page = client.post(reverse("change-secret"), {"name": "huggingface_token", "value": "a b"}, follow=True).text
    assert "copy it again" in page and secrets.get_secrets(user) == {"huggingface_token": TOKEN}
    page = client.post(reverse("change-secret"), {"name": "huggingface_token", "remove": "1"}, follow=True).text
    assert "was removed" in page and not Secret.objects.exists()


IN_MANY_PLACES = {
    "secrets": {"huggingface_token": TOKEN, "cloud": {"api_key": TOKEN}},
    "cloud": {"password": TOKEN},
    "another": [{"hf_token": TOKEN, "name": "kept"}],
}


def test_tokens_are_found_and_left_out_at_any_depth():
    assert without_secrets(IN_MANY_PLACES) == {"cloud": {}, "another": [{"name": "kept"}]}
    assert configs.secret_fields(IN_MANY_PLACES) == ["another.0.hf_token", "cloud.password", "secrets"]
    assert configs.secret_fields({"secrets": {"huggingface_token": "", "cloud": {}}, "batch_size": 2}) == []


def test_the_check_of_a_config_warns_of_its_tokens():
    config = trainable_config(secrets={"huggingface_token": TOKEN})
    answer = trainer().post("/api/config/validate?preflight=false", config)
    warnings = {problem["field"]: problem["message"] for problem in answer.json()["warnings"]}
    assert "account page" in warnings["secrets"] and TOKEN not in answer.content.decode()


def test_no_token_in_a_config_reaches_a_preset_a_draft_a_run_or_an_answer(caplog):
    client = trainer()
    config = trainable_config() | {"secrets": {"huggingface_token": TOKEN}}
    answers = [
        client.post("/api/config/save/Mine", config),
        client.post("/api/presets/", {"name": "Two", "config": config}),
        client.post("/api/presets/import/?name=Three", config),
        client.put("/api/config/current", {"config": config, "revision": 0}),
        client.post("/api/training/start", {"config_dict": config}),
    ]
    assert "left out" in answers[0].json()["message"]
    assert [answer.status_code // 100 for answer in answers] == [2] * 5, [answer.content for answer in answers]
    kept = [*Preset.objects.values_list("config"), *Draft.objects.values_list("config"), *Run.objects.values("config")]
    shown = [answer.content.decode() for answer in answers]
    assert len(kept) == 5 and TOKEN not in str(kept) + str(shown) + caplog.text
