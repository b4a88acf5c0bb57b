"""Any JSON as a config: it is accepted, or refused with a sentence that names the field; nothing ever breaks.

Two kinds are tried: JSON unlike any config, and a whole config in which a few fields have nonsense values.
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.engines import get_engine
from engine.schema import walk
from presets.config import configs
from presets.config.dotted import with_value
from presets.editor import drafts
from presets.library.exchange import from_upload, save_imported, to_onetrainer
from presets.library.verbs import save_preset
from presets.models import Draft
from tests.making import make_user
from web.errors import BadInput, DomainError, StaleDraft

pytestmark = pytest.mark.django_db
FIELDS = [path.replace("*", "0") for path, _ in walk(get_engine("builtin").schema())]
READ_BY_RULES = [  # fields that decide the meaning of other fields
    *("optimizer", "optimizer.optimizer", "optimizer_defaults", "model_type", "training_method", "base_model_name"),
    *(
        "concepts",
        "concepts.0",
        "concepts.0.path",
        "concepts.0.text",
        "samples",
        "samples.0",
        "resolution",
        "__version",
    ),
    *("concept_file_name", "sample_definition_file_name", "output_model_destination", "output_model_format", "unet"),
]
LISTS = {"concepts": [{}], "samples": [{}], "additional_embeddings": [{}], "scheduler_params": [{}]}

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "cuda", "512", "1e9", "\x00", "../../etc/passwd", "~nobody/x", "inf", "NONE", "x" * 5000, "🦊"]
    ),
)
numbers = st.one_of(
    st.integers(-3, 70_000),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**63, 10**40, 1e308, 5e-324]),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
names = st.one_of(st.sampled_from(sorted(configs.defaults())), texts)
nonsense = st.dictionaries(names, anything, max_size=5)
fields = st.one_of(st.sampled_from(READ_BY_RULES), st.sampled_from(FIELDS))
changes = st.lists(st.tuples(fields, anything), min_size=1, max_size=4)
MORE = os.environ.get("FUZZ_EXAMPLES", "")  # this many examples, different in each run
bounded = settings(
    max_examples=int(MORE or 80),
    derandomize=not MORE,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def with_changes(changed):
    """A whole config in which these fields have wrong values."""
    config = {**configs.defaults(), **LISTS}
    for field, value in changed:
        try:
            config = with_value(config, field, value)
        except DomainError as refusal:  # an earlier change removed the object around the field
            check_sentence(str(refusal))
    return config


any_config = st.one_of(nonsense, changes.map(with_changes))


def check_sentence(text):
    """The error is a readable sentence: it has a beginning and an end, and is shorter than the input."""
    assert text.strip() and len(text) < 2000
    assert "Traceback" not in text and "Error(" not in text


def check_problems(problems):
    for problem in problems:
        check_sentence(problem.message)
        assert isinstance(problem.field, str)


def or_refused(action, *arguments):
    """The result, or None if the input was refused correctly."""
    try:
        return action(*arguments)
    except DomainError as refusal:
        check_sentence(str(refusal))
        for field, sentences in getattr(refusal, "errors", {}).items():
            assert isinstance(field, str) and sentences
            for sentence in sentences:
                check_sentence(sentence)
        return None


@bounded
@given(anything)
def test_any_value_that_is_not_a_config_is_refused_with_the_reason(value):
    check_problems(configs.validate(value))


@bounded
@given(any_config)
def test_checking_a_config_never_breaks(config):
    problems = configs.validate(config)
    check_problems(problems)
    assert configs.validate(config) == problems


@bounded
@given(any_config)
def test_a_config_without_an_error_can_be_frozen(config):
    if not any(problem.is_error for problem in configs.validate(config)):
        json.dumps(configs.freeze("builtin", config), allow_nan=False)


@bounded
@given(any_config)
def test_a_preset_is_saved_or_refused(config):
    saved = or_refused(save_preset, "Fuzz", config)
    if saved is not None:
        saved.refresh_from_db()
        assert "secrets" not in saved.config


@bounded
@given(any_config)
def test_a_presets_content_is_checked_and_every_engine_is_asked(config):
    problems = configs.check_form(config)
    check_problems(problems)
    if not any(problem.is_error for problem in problems):
        configs.engines_for(config)
        json.dumps(to_onetrainer(config))


def zipped(files):
    """A zip file of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


versions = st.one_of(st.integers(-1, 13), anything)
a_file = st.one_of(
    any_config,
    st.builds(lambda config, version: {**config, "__version": version}, any_config, versions),
    st.builds(lambda config: {"presets": [{"name": "Fuzz", "config": config}]}, any_config),
    anything,
).map(json.dumps)
file_names = st.sampled_from(
    ["a.json", "b/c.json", "../a.json", "/etc/a.json", "a\\b.json", "🦊.json", ".json", "x" * 300]
)
an_upload = st.one_of(
    st.binary(max_size=60),
    a_file.map(str.encode),
    st.dictionaries(file_names, a_file, max_size=3).map(zipped),
    a_file.map(lambda text: zipped({"a.json": text})[:-9]),
)


@bounded
@given(an_upload)
def test_a_file_is_imported_or_refused(content):
    for found in or_refused(from_upload, "fuzz.json", content) or []:
        or_refused(save_imported, found, None)


@pytest.fixture
def user():
    return make_user("fuzz")


@bounded
@given(wishes=st.lists(st.tuples(st.one_of(fields, texts), anything), min_size=1, max_size=4))
def test_a_draft_applies_a_change_or_refuses_it_and_undo_restores_the_former_state(user, wishes):
    draft = drafts.get_draft(user)
    before, wished = draft.config, [{"field": field, "value": value} for field, value in wishes]
    changed = or_refused(drafts.apply, draft, draft.revision, wished)
    stored = Draft.objects.get(user=user)
    assert stored.config == (before if changed is None else changed.config)
    if changed is not None:
        check_problems(configs.validate(stored.config))
        if stored.config != before:
            assert drafts.undo(stored, stored.revision).config == before


@bounded
@given(change=anything)
def test_an_invalid_change_is_refused(user, change):
    draft = drafts.get_draft(user)
    or_refused(drafts.apply, draft, draft.revision, [change])


@bounded
@given(config=any_config)
def test_a_draft_applies_a_whole_config_or_refuses_it(user, config):
    draft = drafts.get_draft(user)
    or_refused(drafts.replace_config, draft, draft.revision, config)
    assert Draft.objects.filter(user=user).exists()


@pytest.mark.parametrize("name", [[], {}, None, 3])
def test_an_optimizer_that_is_not_a_name_is_refused_by_its_field(name):
    config = {"optimizer": {"optimizer": name}, "optimizer_defaults": {"ADAMW": {}}}
    assert "optimizer.optimizer" in [problem.field for problem in configs.validate(config)]
    with pytest.raises(BadInput, match=r"optimizer\.optimizer"):
        from_upload("fuzz.json", json.dumps(config).encode())


def test_a_late_change_overwrites_nothing(user):
    draft = drafts.apply(drafts.get_draft(user), 0, [{"field": "epochs", "value": 3}])
    with pytest.raises(StaleDraft):
        drafts.apply(draft, 0, [{"field": "epochs", "value": 4}])
    assert Draft.objects.get(user=user).config == {"epochs": 3}
