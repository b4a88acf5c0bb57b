"""Configs that no two programs read alike are refused with the reason, wherever they come from."""

import pytest

from engine.builtin.config.check import check
from tests.api import trainer
from web.strict_json import parse

DIGITS = "9" * 5001
REASONS = {
    f'{{"epochs": {DIGITS}}}': "5,001 digits",
    f'{{"epochs": -{DIGITS}}}': "5,001 digits",
    '{"learning_rate": 1e999}': "larger than any",
    '{"learning_rate": -1e400}': "larger than any",
    '{"learning_rate": NaN}': "NaN is not a number",
    '{"learning_rate": Infinity}': "Infinity is not a number",
    '{"optimizer": {"beta1": -Infinity}}': "-Infinity is not a number",
    '{"concepts": [{"loss_weight": NaN}]}': "NaN is not a number",
    '{"epochs": 1, "epochs": 2}': "more than once",
    '{"optimizer": {"beta1": 0.9, "beta1": 0.9}}': "more than once",
    '{"concepts": [{"path": "a", "path": "b"}]}': "more than once",
}
IN_FILES = {
    "a.yaml": ("epochs: 1\nepochs: 2", "more than once"),
    "b.yaml": (f"epochs: {DIGITS}", "more digits"),
    "c.yaml": ("learning_rate: .nan", "nan is not a number"),
    "d.yaml": ("learning_rate: -.inf", "-inf is not a number"),
    "e.toml": (f"epochs = {DIGITS}", "more digits"),
    "f.toml": ("learning_rate = nan", "nan is not a number"),
    "g.json": ('{"epochs": 1,\n "batch_size" 2}', "line 2, column 15"),
    "h.json": (b'{"base_model_name": "caf\xe9"}', "not text in UTF-8"),
}


@pytest.mark.parametrize("text", REASONS)
def test_a_body_says_what_it_has_that_json_has_not(text):
    with pytest.raises(ValueError, match=REASONS[text]):
        parse(text)


@pytest.mark.django_db
@pytest.mark.parametrize("name", [*IN_FILES, *(f"{number}.json" for number in range(len(REASONS)))])
def test_a_file_says_so_too_without_showing_its_content(tmp_path, settings, name):
    settings.ALLOWED_ROOTS = [tmp_path]
    content, words = IN_FILES.get(name) or list(REASONS.items())[int(name.removesuffix(".json"))]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = trainer().post("/api/training/start", {"config_path": str(path)}, format="json")
    assert answer.status_code == 400 and words in answer.json()["detail"]
    assert "beta1" not in answer.json()["detail"] and "999" not in answer.json()["detail"]


@pytest.mark.django_db
def test_a_request_with_a_key_that_appears_twice_is_refused():
    answer = trainer().post("/api/config/validate", data='{"epochs": 1, "epochs": 2}', content_type="application/json")
    assert answer.status_code == 400 and "'epochs'" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["", "  ", "\t"])
def test_an_empty_name_of_a_base_model_is_told(name):
    assert "is empty" in {one.field: one.message for one in check({"base_model_name": name})}["base_model_name"]


@pytest.mark.parametrize("field", ["backup_after", "sample_after", "save_every"])
@pytest.mark.parametrize("unit", ["EPOCH", "STEP", "MINUTE"])
def test_an_interval_of_zero_says_that_it_stands_for_never(field, unit):
    messages = [one.message for one in check({field: 0, f"{field}_unit": unit}) if one.field == field]
    assert len(messages) == 1 and "choose NEVER" in messages[0]
