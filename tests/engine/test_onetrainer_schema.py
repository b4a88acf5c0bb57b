"""The fields of OneTrainer's configs: read by its own Python once per version, and turned into a schema."""

import os
import shutil
import sys
from pathlib import Path

import jsonschema
import pytest

from engine import engines
from engine.onetrainer import facts as asking
from engine.onetrainer import schema as onetrainer
from engine.onetrainer.facts import Checkout, Unavailable, commit_of
from engine.schema import applies, leaf

STANDIN = Path(__file__).parent.parent / "onetrainer_standin"
LONG = 60


@pytest.fixture
def home(tmp_path):
    return Path(shutil.copytree(STANDIN, tmp_path / "OneTrainer"))


@pytest.fixture
def checkout(home, tmp_path):
    return Checkout(home, Path(sys.executable), tmp_path / "kept", look_seconds=0)


@pytest.fixture
def engine(home, tmp_path, monkeypatch):
    """The engine as the site has it, after its facts were read once."""
    monkeypatch.setenv("ONETRAINER_HOME", str(home))
    monkeypatch.setenv("ONETRAINER_PYTHON", sys.executable)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setitem(engines.ENGINES, "onetrainer", engines.ONETRAINER)
    onetrainer.facts(wait=LONG)
    return engines.get_engine("onetrainer")


def kept(checkout):
    return sorted(checkout.folder.glob("schema-*.json"))


def change(home):
    path = home / "modules/util/config/TrainConfig.py"
    path.write_text(path.read_text().replace('"brand_new_dtype"', '"newer_still"'))


def test_the_first_caller_is_asked_to_try_again_and_then_gets_the_facts(checkout):
    with pytest.raises(Unavailable, match="try again"):
        checkout.facts()
    assert checkout.facts(wait=LONG)["classes"]["TrainConfig"]["version"] == 11


def test_the_facts_hold_the_fields_of_the_classes(checkout):
    facts = checkout.facts(wait=LONG)
    fields = facts["classes"]["TrainConfig"]["fields"]
    assert fields["scheduler_params"] == {"type": "list[dict[str, str]]", "default": [], "nullable": True}
    assert fields["model_type"] == {"type": "ModelType", "default": "STABLE_DIFFUSION_15", "nullable": False}
    assert facts["classes"]["SampleConfig"]["fields"]["cfg_scale"]["default"] == 7.5
    assert facts["enums"]["Optimizer"] == ["ADAMW", "PRODIGY"]
    assert facts["training_methods_by_model_type"]["NEXT_YEARS_MODEL"] == ["LORA"]
    assert facts["model_formats"] == ["DIFFUSERS", "SAFETENSORS"]
    assert facts["optimizer_parameters"]["PRODIGY"]["growth_rate"] == "inf"


def test_random_defaults_are_the_same_each_time(checkout):
    first = checkout.facts(wait=LONG)
    kept(checkout)[0].unlink()
    again = Checkout(checkout.home, checkout.python, checkout.folder).facts(wait=LONG)
    assert again == first
    assert again["classes"]["ConceptConfig"]["fields"]["seed"]["default"] == 0


def test_a_second_process_uses_the_facts_that_the_first_stored(checkout):
    facts = checkout.facts(wait=LONG)
    assert Checkout(checkout.home, checkout.python, checkout.folder).facts() == facts


def test_a_changed_checkout_is_read_again_and_the_old_facts_are_deleted(checkout):
    checkout.facts(wait=LONG)
    before = kept(checkout)
    change(checkout.home)
    assert "newer_still" in checkout.facts(wait=LONG)["classes"]["TrainConfig"]["fields"]
    assert len(kept(checkout)) == 1 and kept(checkout) != before


def test_damaged_facts_are_read_again(checkout):
    checkout.facts(wait=LONG)
    kept(checkout)[0].write_text("{")
    again = Checkout(checkout.home, checkout.python, checkout.folder)
    assert again.facts(wait=LONG)["root"] == "TrainConfig"


def test_the_commit_is_read_from_gits_files(tmp_path):
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert commit_of(tmp_path) == ""
    (git / "packed-refs").write_text("# pack-refs\nabc refs/heads/main\n")
    assert commit_of(tmp_path) == "abc"
    (git / "refs/heads/main").write_text("def\n")
    assert commit_of(tmp_path) == "def"
    (git / "HEAD").write_text("123\n")
    assert commit_of(tmp_path) == "123"


def test_a_missing_checkout_is_reported_in_a_sentence(tmp_path):
    with pytest.raises(Unavailable, match="has no folder modules: set it to a OneTrainer checkout"):
        Checkout(tmp_path, Path(sys.executable), tmp_path).facts()


def test_a_missing_python_is_reported_in_a_sentence(home, tmp_path):
    with pytest.raises(Unavailable, match="cannot be run: set ONETRAINER_PYTHON"):
        Checkout(home, tmp_path / "python", tmp_path).facts()


def test_a_failed_import_is_reported_by_its_last_line_and_is_not_retried_at_once(checkout):
    path = checkout.home / "modules/util/optimizer_util.py"
    path.write_text("import no_such_library_here")
    with pytest.raises(Unavailable, match="No module named 'no_such_library_here'"):
        checkout.facts(wait=LONG)
    with pytest.raises(Unavailable, match="no_such_library_here"):
        checkout.facts()


def test_after_a_repair_the_facts_are_read_again(checkout):
    path = checkout.home / "modules/util/optimizer_util.py"
    whole = path.read_text()
    path.write_text("import no_such_library_here")
    with pytest.raises(Unavailable):
        checkout.facts(wait=LONG)
    path.write_text(whole)
    assert checkout.facts(wait=LONG)


def test_the_schema_is_valid_and_the_defaults_fit(engine):
    jsonschema.Draft202012Validator.check_schema(engine.schema())
    validator = jsonschema.Draft202012Validator(engine.schema())
    assert [error.json_path for error in validator.iter_errors(engine.defaults())] == []
    assert engine.schema() is engine.schema()


def test_a_new_field_appears_under_its_object_with_a_readable_name(engine):
    properties = engine.schema()["properties"]
    assert properties["brand_new_dtype"]["title"] == "Brand new data type"
    assert properties["unet"]["properties"]["train_sideways"]["x-section"] == "UNet"


def test_a_part_applies_to_the_models_that_the_checkout_names(engine):
    field = leaf(engine.schema(), "transformer.train")
    assert applies(field, {"model_type": "NEXT_YEARS_MODEL"})
    assert not applies(field, {"model_type": "STABLE_DIFFUSION_15"})


def test_the_schema_shows_the_default_of_the_part_itself(engine):
    assert leaf(engine.schema(), "text_encoder.stop_training_after")["default"] == 30
    assert leaf(engine.schema(), "unet.stop_training_after")["default"] is None


def test_settings_that_follow_the_optimizer_are_not_in_the_defaults(engine):
    assert engine.defaults()["optimizer"] == {"__version": 0, "optimizer": "ADAMW"}


def test_the_check_names_the_field_and_the_fix(engine):
    config = {"batch_size": 0, "model_type": "X", "samples": [{"prompt": 3}], "weight_dtype": "FLOAT_32", "new": 1}
    found = {problem.field: (problem.severity, problem.message) for problem in engine.check(config)}
    assert found == {
        "batch_size": ("error", "must be at least 1, not 0"),
        "model_type": ("error", "'X' is not one of its choices; choose STABLE_DIFFUSION_15 or NEXT_YEARS_MODEL"),
        "samples.0.prompt": ("error", "must be text, not 3"),
        "new": ("warning", "is not a known setting; it is kept but has no effect"),
    }


@pytest.mark.parametrize(
    "config, message",
    [
        ({"learning_rate": float("nan")}, "must be finite"),
        ({"learning_rate": True}, "must be a number, not true"),
        ({"batch_size": 2.5}, "must be a whole number, not 2.5"),
        ({"unet": []}, "must be an object, not []"),
        ({"embedding": {"token_count": "x"}}, "must be a whole number or empty, not 'x'"),
    ],
)
def test_the_check_refuses(engine, config, message):
    assert [problem.message for problem in engine.check(config)] == [message]


def test_infinity_is_a_number_where_it_means_something(engine):
    assert engine.check({"optimizer": {"growth_rate": "inf"}}) == []
    assert engine.check({"optimizer": {"growth_rate": None}}) == []


def test_the_list_of_engines_says_why_one_cannot_be_used(engine, home):
    builtin, other = engines.available()
    assert (builtin.why_not, other.why_not) == ("", "")
    assert "pause" in other.capabilities
    shutil.rmtree(home / "modules")
    onetrainer.checkout()._looked = (-asking.LOOK_SECONDS, "")
    assert "has no folder modules" in engines.available()[1].why_not


def test_onetrainer_runs_in_its_own_python(engine):
    python, driver, folder = engine.command(Path("/attempt"))
    assert (python, Path(driver).name, folder) == (sys.executable, "driver.py", "/attempt")


def test_the_engine_exists_only_if_a_checkout_is_configured():
    assert ("onetrainer" in engines.ENGINES) is bool(os.environ.get("ONETRAINER_HOME"))


@pytest.mark.parametrize(
    ("kind", "config", "is_paused", "reason"),
    [
        ("pause", {}, False, ""),
        ("pause", {"multi_gpu": True}, False, "several GPUs"),
        ("backup", {}, False, ""),
        ("backup", {}, True, "continue it first"),
        ("continue", {}, True, ""),
        ("stop", {}, True, ""),
        ("fly", {}, False, "The engine OneTrainer does not support this command."),
    ],
)
def test_the_engine_says_why_it_would_refuse_a_command(engine, kind, config, is_paused, reason):
    assert reason in engine.why_not(kind, config, is_paused)
    assert bool(reason) == bool(engine.why_not(kind, config, is_paused))
