"""Every text of a config that names something on a disk says what it is for, in the schemas of both engines."""

import json
import re
from pathlib import Path

import pytest

from engine import schema as json_schema
from engine.builtin.config import schema as builtin_schema
from engine.builtin.config.schedulers import TORCH_SCHEDULERS
from engine.interface.importable import SCHEDULERS
from engine.onetrainer.guards.texts import IMPORTED, KNOWN, NAMES
from engine.paths.policy import Purpose
from engine.texts import check_texts

FACTS = json.loads((Path(__file__).with_name("onetrainer_fields.json")).read_text())
PURPOSES = {purpose.value for purpose in Purpose} | {"own", "name", "elsewhere", "import", json_schema.UNKNOWN}
LIKE_A_PATH = re.compile(r"path|dir(_|$)|folder|file|destination|model_name|cache|prefix|uuid|cmd|custom|class|module")
NO_PATH = {"sample_image_format", "prompt_source"}  # by their values, which are choices


def schemas():
    return {"builtin": builtin_schema.schema(), "onetrainer": json_schema.build(FACTS)}


@pytest.mark.parametrize("engine", ["builtin", "onetrainer"])
def test_a_text_that_looks_like_a_path_has_a_purpose(engine):
    texts = [(path, one) for path, one in json_schema.walk(schemas()[engine]) if json_schema.is_text(one)]
    lacking = [
        path
        for path, one in texts
        if "x-path" not in one
        and path.rpartition(".")[2] not in NO_PATH
        and (LIKE_A_PATH.search(path.rpartition(".")[2]) or "/" in str(one.get("default")))
    ]
    assert lacking == []
    assert {one["x-path"] for _, one in texts if "x-path" in one} <= PURPOSES


def test_a_text_of_a_newer_onetrainer_must_keep_its_default():
    facts = json.loads(json.dumps(FACTS))
    new = {"type": "str", "default": "usual", "nullable": False}
    facts["classes"]["TrainConfig"]["fields"]["custom_loss_class"] = new
    schema = json_schema.build(facts)
    assert [one.field for one in check_texts(schema, {"custom_loss_class": "os.system"})] == ["custom_loss_class"]
    assert list(check_texts(schema, {"custom_loss_class": "usual"})) == []


@pytest.mark.parametrize("field", ["save_filename_prefix", "embedding.uuid"])
@pytest.mark.parametrize("value", ["../../x", "a/b", "\\\\host\\x", ".ssh", "a\x00b", "x" * 200])
def test_a_part_of_a_file_name_is_no_path(field, value):
    outer, _, inner = field.partition(".")
    config = {outer: {inner: value}} if inner else {outer: value}
    assert [one.field for one in check_texts(schemas()["onetrainer"], config)] == [field]


@pytest.mark.parametrize("name", ["os.system", "torch.optim.lr_scheduler.LambdaLR", "evil.StepLR", "StepLR"])
def test_a_class_to_import_comes_from_the_list(name):
    config = {"learning_rate_scheduler": "CUSTOM", "custom_learning_rate_scheduler": name}
    for schema in schemas().values():
        assert [one.field for one in check_texts(schema, config)] == ["custom_learning_rate_scheduler"]


def test_the_lists_of_the_driver_are_those_of_the_site():
    """The driver's Python may be too old for the file with the fields."""
    texts = {
        owner: {name for name, fact in kind["fields"].items() if fact["type"] == "str"}
        for owner, kind in FACTS["classes"].items()
    }
    assert texts == KNOWN
    assert set(SCHEDULERS) == set(TORCH_SCHEDULERS)
    by_purpose = {}
    for path, one in json_schema.walk(schemas()["onetrainer"]):
        by_purpose.setdefault(one.get("x-path"), set()).add(path.rpartition(".")[2])
    assert by_purpose["import"] == set(IMPORTED) and by_purpose["name"] == set(NAMES)
