"""Drafts: saved with every change, undone and redone, and never overwritten by a client with an old revision."""

from __future__ import annotations

import copy

import pytest
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from presets.config import configs
from presets.editor import drafts
from presets.models import Draft
from tests.making import make_preset, make_user
from web.errors import BadInput, NotNow, StaleDraft

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft():
    return drafts.get_draft(make_user())


def put(draft, field, value, revision=None):
    return drafts.apply(draft, draft.revision if revision is None else revision, [{"field": field, "value": value}])


def unset(draft, field):
    return drafts.apply(draft, draft.revision, [{"field": field, "unset": True}])


def stored(draft):
    return Draft.objects.get(pk=draft.pk)


def test_a_draft_starts_from_the_defaults_and_is_the_same_each_time(draft):
    again = drafts.get_draft(draft.user)
    assert (again.pk, again.config, again.revision) == (draft.pk, {}, 0)


def test_a_presets_draft_starts_from_the_preset(draft):
    preset = make_preset(config={"batch_size": 2, "secrets": {"huggingface_token": "hf_x"}})
    mine = drafts.get_draft(draft.user, preset)
    assert (mine.config, mine.start, mine.preset) == ({"batch_size": 2}, f"preset:{preset.pk}", preset)
    assert drafts.changes_since_start(mine) == {}
    assert drafts.get_draft(make_user("grace"), preset).pk != mine.pk


def test_a_change_is_saved_at_once_and_only_differences_are_kept(draft):
    put(draft, "epochs", 7)
    put(draft, "optimizer.weight_decay", 0.5)
    put(draft, "batch_size", configs.defaults()["batch_size"])
    assert stored(draft).config == {"epochs": 7, "optimizer": {"weight_decay": 0.5}}
    assert unset(draft, "optimizer.weight_decay").config == {"epochs": 7}


def test_wrong_values_and_unknown_fields_are_kept(draft):
    put(draft, "epochs", "man")
    put(draft, "unheard_of.deep", [1, None])
    put(draft, "batch_size", True)
    assert stored(draft).config == {"epochs": "man", "unheard_of": {"deep": [1, None]}, "batch_size": True}


def test_items_of_lists_are_changed_by_their_number(draft):
    put(draft, "concepts", [{"path": "/a"}, {"path": "/b"}])
    put(draft, "concepts.1.image.enable_random_flip", True)
    assert stored(draft).config["concepts"] == [{"path": "/a"}, {"path": "/b", "image": {"enable_random_flip": True}}]
    unset(draft, "concepts.1.image.enable_random_flip")
    unset(draft, "concepts.0")
    assert stored(draft).config["concepts"] == [{"path": "/b"}]


@pytest.mark.parametrize(
    "field", ["", ".", "a..b", "concepts.3.path", "concepts.-1", "epochs.deep", "x" * 400, ".".join("a" * 20), None, 3]
)
def test_a_path_that_does_not_exist_is_refused_and_changes_nothing(draft, field):
    put(draft, "epochs", 7)
    with pytest.raises(BadInput):
        put(draft, field, 1)
    assert (stored(draft).config, stored(draft).revision) == ({"epochs": 7}, 1)


@pytest.mark.parametrize("change", [{}, {"field": "a"}, {"field": "a", "value": 1, "unset": True}, "a", None])
def test_a_change_needs_a_field_and_either_a_value_or_unset(draft, change):
    with pytest.raises(BadInput):
        drafts.apply(draft, 0, [change])


def test_tokens_are_never_kept(draft):
    with pytest.raises(BadInput, match="account"):
        put(draft, "secrets.huggingface_token", "hf_x")
    drafts.replace_config(draft, 0, {"epochs": 3, "secrets": {"huggingface_token": "hf_x"}})
    assert stored(draft).config == {"epochs": 3}
    assert "hf_x" not in str(list(draft.steps.values_list("changes", flat=True)))


def test_several_changes_are_one_step(draft):
    drafts.apply(draft, 0, [{"field": "epochs", "value": 3}, {"field": "optimizer.optimizer", "value": "PRODIGY"}])
    assert drafts.undo(draft, 1).config == {}


def test_undo_and_redo_cover_the_whole_session(draft):
    states = [copy.deepcopy(put(draft, field, value).config) for field, value in SESSION]
    for before in [*reversed(states[:-1]), {}]:
        assert drafts.undo(draft, draft.revision).config == before
    with pytest.raises(NotNow, match="nothing to undo"):
        drafts.undo(draft, draft.revision)
    for after in states:
        assert drafts.redo(draft, draft.revision).config == after
    with pytest.raises(NotNow, match="nothing to redo"):
        drafts.redo(draft, draft.revision)
    assert stored(draft).config == states[-1]


SESSION = [
    ("epochs", 7),
    ("optimizer.weight_decay", 0.5),
    ("concepts", [{"path": "/a"}]),
    ("concepts.0.image.enable_random_flip", True),
    ("epochs", "many"),
    ("optimizer.weight_decay", 0.25),
]


def test_a_change_after_undo_drops_the_undone_steps(draft):
    put(draft, "epochs", 7)
    put(draft, "batch_size", 2)
    drafts.undo(draft, 2)
    put(draft, "batch_size", 3)
    assert drafts.next_labels(draft) == ("Change batch_size", "")
    assert drafts.undo(draft, 4).config == {"epochs": 7}


def test_keystrokes_in_one_field_are_undone_together(draft):
    for text in ("1", "1e", "1e-", 0.0001):
        put(draft, "learning_rate", text)
    put(draft, "epochs", 3)
    assert [step.label for step in draft.steps.all()] == ["Change learning_rate", "Change epochs"]
    drafts.undo(draft, draft.revision)
    assert drafts.undo(draft, draft.revision).config == {}


def test_the_reset_of_a_field_can_be_undone_too(draft):
    put(draft, "epochs", 7)
    draft.steps.update(at=now() - drafts.ONE_EDIT)
    unset(draft, "epochs")
    assert drafts.undo(draft, 2).config == {"epochs": 7}


def test_a_change_without_effect_is_not_a_step(draft):
    assert put(draft, "epochs", configs.defaults()["epochs"]).revision == 0
    assert drafts.next_labels(draft) == ("", "")


def test_a_change_based_on_an_older_revision_is_refused_and_overwrites_nothing(draft):
    other_tab = stored(draft)
    put(draft, "epochs", 7)
    for change in (
        lambda: put(other_tab, "epochs", 9),
        lambda: put(stored(draft), "epochs", 9, revision=0),
        lambda: put(stored(draft), "epochs", 7, revision=0),
        lambda: drafts.undo(stored(draft), 0),
        lambda: drafts.load(other_tab, 0, "", "defaults", {}),
    ):
        with pytest.raises(StaleDraft):
            change()
    assert (stored(draft).config, draft.steps.count()) == ({"epochs": 7}, 1)


def test_a_client_without_a_revision_changes_the_newest_state(draft):
    stale = stored(draft)
    put(draft, "epochs", 7)
    drafts.retry(stale, lambda one: put(one, "batch_size", 2))
    assert stored(draft).config == {"epochs": 7, "batch_size": 2}


def test_name_and_engine_are_undone_too(draft):
    drafts.change_facts(draft, 0, {"name": "Mine", "tags": "a, b"})
    assert stored(draft).facts == {"name": "Mine", "tags": "a, b"}
    with pytest.raises(BadInput, match="no engine"):
        drafts.choose_engine(draft, 1, "magic")
    with pytest.raises(BadInput):
        drafts.change_facts(draft, 1, {"owner": "me"})
    with pytest.raises(BadInput, match="200 characters"):
        drafts.change_facts(draft, 1, {"name": "x" * 201})
    assert drafts.undo(draft, 1).facts == {}


def test_loading_a_preset_is_one_step_that_can_be_undone(draft):
    put(draft, "epochs", 7)
    drafts.load(draft, 1, "preset:4", "preset Small", {"batch_size": 4}, version=2)
    assert (draft.config, draft.start) == ({"batch_size": 4}, "preset:4")
    assert drafts.next_labels(draft)[0] == "Load preset Small"
    drafts.undo(draft, 2)
    assert (stored(draft).config, stored(draft).start, stored(draft).facts) == ({"epochs": 7}, "", {})


def test_changes_since_the_last_start_can_be_kept(draft):
    drafts.load(draft, 0, "preset:4", "preset Small", {"batch_size": 4, "lora_rank": 8})
    drafts.change_facts(draft, 1, {"name": "Mine"})
    put(draft, "concepts", [{"path": "/a"}])
    put(draft, "batch_size", configs.defaults()["batch_size"])
    drafts.load(draft, 4, "preset:5", "preset Big", {"batch_size": 16, "lora_rank": 64}, keep_changes=True)
    assert stored(draft).config == {"lora_rank": 64, "concepts": [{"path": "/a"}]}
    assert stored(draft).facts["name"] == "Mine"


def test_a_config_that_is_too_large_is_refused(draft):
    with pytest.raises(BadInput, match="larger than"):
        put(draft, "concepts", [{"path": "x" * 1000}] * 6000)


def test_the_oldest_steps_are_dropped(draft, monkeypatch):
    monkeypatch.setattr(drafts, "MOST_STEPS", 3)
    for epochs in range(1, 7):
        put(draft, "epochs", epochs)
        draft.steps.update(at=now() - drafts.ONE_EDIT)
    for epochs in (5, 4, 3):
        assert drafts.undo(draft, draft.revision).config["epochs"] == epochs
    with pytest.raises(NotNow):
        drafts.undo(draft, draft.revision)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        "epochs",
        "optimizer.weight_decay",
        "unet",
        "unet.train",
        "concepts",
        "concepts.0",
        "concepts.0.a",
        "new.a.b",
        "new",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(FIELDS, VALUES | st.just(...)), max_size=6))
def test_every_change_can_be_undone_and_redone(django_user_model, changes):
    user = django_user_model.objects.get_or_create(username="hypo")[0]
    Draft.objects.filter(user=user).delete()
    draft, states = drafts.get_draft(user), [{}]
    for field, value in changes:
        change = {"field": field, "unset": True} if value is ... else {"field": field, "value": value}
        try:
            drafts.apply(draft, draft.revision, [change], label=f"step {len(states)}")
        except BadInput:
            continue
        if len(states) <= draft.position:
            states.append(copy.deepcopy(stored(draft).config))
    for state in reversed(states[:-1]):
        assert drafts.undo(stored(draft), stored(draft).revision).config == state
    for state in states[1:]:
        assert drafts.redo(stored(draft), stored(draft).revision).config == state
