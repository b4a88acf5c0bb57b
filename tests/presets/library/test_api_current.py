"""The current config in the API: the same draft as the page of a new run."""

from __future__ import annotations

import pytest

from presets.models import Draft
from tests.api import trainer, viewer

pytestmark = pytest.mark.django_db
ADDRESS = "/api/config/current"


@pytest.fixture
def api():
    return trainer()


def patch(api, *changes, **body):
    return api.patch(ADDRESS, {"changes": list(changes), **body})


def test_the_current_config_starts_with_the_defaults(api):
    answer = api.get(ADDRESS).json()
    assert answer["config"]["batch_size"] == 1
    assert (answer["changed"], answer["revision"], answer["undo"], answer["redo"]) == ({}, 0, "", "")


def test_single_fields_are_changed_undone_and_redone(api):
    answer = patch(api, {"field": "epochs", "value": 7}, {"field": "optimizer.weight_decay", "value": 0.5}, revision=0)
    assert answer.status_code == 200
    assert answer.json()["changed"] == {"epochs": 7, "optimizer": {"weight_decay": 0.5}}
    assert (answer.json()["revision"], answer.json()["undo"]) == (1, "Change 2 fields")
    undone = api.post(f"{ADDRESS}/undo", {"revision": 1}).json()
    assert (undone["changed"], undone["revision"], undone["redo"]) == ({}, 2, "Change 2 fields")
    assert api.post(f"{ADDRESS}/redo").json()["changed"]["epochs"] == 7
    assert api.get(ADDRESS).json()["config"]["epochs"] == 7
    assert patch(api, {"field": "epochs", "unset": True}).json()["changed"] == {"optimizer": {"weight_decay": 0.5}}


@pytest.mark.parametrize("call", ["undo", "redo"])
def test_undo_and_redo_without_a_step_are_refused_with_the_reason(api, call):
    answer = api.post(f"{ADDRESS}/{call}")
    assert answer.status_code == 409 and f"nothing to {call}" in answer.json()["detail"]


def test_put_replaces_everything_and_can_be_undone(api):
    patch(api, {"field": "epochs", "value": 7})
    answer = api.put(ADDRESS, {"config": {"batch_size": "wrong"}, "revision": 1}).json()
    assert (answer["changed"], answer["config"]["epochs"]) == ({"batch_size": "wrong"}, 100)
    assert api.post(f"{ADDRESS}/undo", {}).json()["changed"] == {"epochs": 7}


@pytest.mark.parametrize(
    "call",
    [
        lambda api: patch(api, {"field": "epochs", "value": 9}, revision=0),
        lambda api: api.put(ADDRESS, {"config": {"epochs": 9}, "revision": 0}),
        lambda api: api.post(f"{ADDRESS}/undo", {"revision": 0}),
        lambda api: api.post(f"{ADDRESS}/redo", {"revision": 5}),
    ],
)
def test_an_older_revision_is_refused_and_overwrites_nothing(api, call):
    patch(api, {"field": "epochs", "value": 7}, revision=0)
    answer = call(api)
    assert answer.status_code == 409
    assert "changed elsewhere" in answer.json()["detail"]
    assert Draft.objects.get(user=api.user).config == {"epochs": 7}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"changes": []},
        {"changes": [{}]},
        {"changes": [{"field": "epochs"}]},
        {"changes": [{"field": "epochs", "value": 1, "unset": True}]},
        {"changes": [{"field": "concepts.9.path", "value": "/a"}]},
        {"changes": [{"field": "secrets.huggingface_token", "value": "hf_x"}]},
        {"changes": [{"field": "epochs", "value": 1}], "revision": "new"},
        {"changes": [{"field": "epochs", "value": 1}], "revision": True},
        {"changes": {"epochs": 1}},
    ],
)
def test_an_invalid_request_is_refused_with_a_sentence(api, body):
    answer = api.patch(ADDRESS, body)
    assert answer.status_code == 400 and answer.json()["detail"].endswith(".")
    assert not Draft.objects.filter(user=api.user).exclude(config={}).exists()


@pytest.mark.parametrize("revision", ["new", True, 1.5, [0]])
def test_put_with_an_invalid_revision_is_refused(api, revision):
    assert api.put(ADDRESS, {"config": {"epochs": 1}, "revision": revision}).status_code == 400


def test_viewers_read_their_own_config_and_change_nothing():
    api = viewer()
    assert api.get(ADDRESS).status_code == 200
    assert patch(api, {"field": "epochs", "value": 7}).status_code == 403
    assert api.post(f"{ADDRESS}/undo").status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("base_model_name", "x" * 1_000_000, "1,000,000 characters"),
        ("concepts", [{"path": "/x"}] * 10_000, "10,000 entries"),
        ("epochs", 10**400, "too large"),
    ],
)
def test_an_oversized_value_is_refused_and_changes_nothing(api, field, value, told):
    for answer in (api.put(ADDRESS, {field: value}), patch(api, {"field": field, "value": value})):
        assert answer.status_code == 400 and told in answer.json()["errors"][field][0]
    assert api.get(ADDRESS).json()["revision"] == 0


def test_a_config_that_is_not_an_object_is_refused_by_its_name(api):
    answer = api.put(ADDRESS, {"config": [1]})
    assert answer.status_code == 400 and list(answer.json()["errors"]) == ["config"]
    assert api.post("/api/config/save/mine", {"name": "mine", "config": [1]}).status_code == 400
    assert api.get("/api/config/list").json()["configs"] == []


@pytest.mark.parametrize("value", [10**400, -(10**400)])
@pytest.mark.parametrize("field", ["epochs", "learning_rate", "no_such_field"])
def test_a_number_that_is_too_large_is_refused_by_its_field(api, field, value):
    answer = api.post("/api/config/validate?preflight=false", {field: value})
    assert answer.status_code == 200 and answer.json()["errors"][0]["field"] == field


def test_an_overlong_name_is_refused_without_being_repeated(api):
    answer = api.post("/api/config/validate?preflight=false", {"x" * 1_000_000: 1})
    assert not answer.json()["valid"] and len(answer.content) < 1000
