"""Attacks by loaded models: closed places, pickles under other names, names that are no names of the hub."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from engine.onetrainer.checks.models import names_of
from presets.config.configs import full_config
from presets.config.named_paths import Reads
from presets.config.paths import check_paths

pytestmark = pytest.mark.django_db
FIELDS = {
    "base_model_name": lambda name: {"base_model_name": name},
    "lora_model_name": lambda name: {"training_method": "LORA", "lora_model_name": name},
    "vae.model_name": lambda name: {"vae": {"model_name": name}},
    "text_encoder_2.model_name": lambda name: {
        "model_type": "STABLE_DIFFUSION_XL_10_BASE",
        "text_encoder_2": {"model_name": name},
    },
    "transformer.model_name": lambda name: {"model_type": "FLUX_DEV_1", "transformer": {"model_name": name}},
    "embedding.model_name": lambda name: {"training_method": "EMBEDDING", "embedding": {"model_name": name}},
    "additional_embeddings.0.model_name": lambda name: {"additional_embeddings": [{"model_name": name}]},
}


@pytest.fixture
def world(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    for name in ("open/.hidden", "closed"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("open/a.safetensors", "open/.hidden/a.safetensors", "closed/a.safetensors"):
        save_file({"weight": torch.zeros(2)}, tmp_path / name)
    (tmp_path / "open/out.safetensors").symlink_to(tmp_path / "closed/a.safetensors")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "open/zip.safetensors")
    (tmp_path / "open/pickle.safetensors").write_bytes(pickle.dumps({"a": 1}))
    save_file({"weight": torch.zeros(2)}, tmp_path / "open/b.ckpt")
    return tmp_path


def problem_of(field, name, config=None):
    changes = {"model_type": "STABLE_DIFFUSION_15", "training_method": "LORA", **FIELDS[field](name), **(config or {})}
    whole = full_config("builtin", changes)
    return next((one.message for one in check_paths(whole) if one.field == field), "")


@pytest.mark.parametrize("field", FIELDS)
def test_each_model_is_judged_wherever_a_config_names_it(world, field):
    assert problem_of(field, str(world / "open/a.safetensors")) == ""
    assert "outside" in problem_of(field, str(world / "closed/a.safetensors"))
    assert "outside" in problem_of(field, str(world / "open/../closed/a.safetensors"))
    assert "outside" in problem_of(field, str(world / "open/out.safetensors"))
    assert "hidden" in problem_of(field, str(world / "open/.hidden/a.safetensors"))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["zip.safetensors", "pickle.safetensors", "b.ckpt"])
def test_a_pickle_is_refused_under_any_name_unless_an_admin_allows_it(world, monkeypatch, field, name):
    assert "program" in problem_of(field, str(world / "open" / name))
    monkeypatch.setenv("ALLOW_PICKLED_WEIGHTS", "true")
    assert problem_of(field, str(world / "open" / name)) == ""


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "name", ["https://evil.example/a.ckpt", "file:///etc/passwd", "owner/na--me", "ö/model", "a b/c"]
)
def test_a_name_that_is_no_name_of_the_hub_is_refused(world, field, name):
    assert "hub" in problem_of(field, name)


def test_only_listed_owners_are_loaded_from_the_hub(world, settings):
    assert problem_of("base_model_name", "evil/model") == ""
    settings.HUB_OWNERS = ["stabilityai"]
    assert "stabilityai" in problem_of("base_model_name", "evil/model")
    assert problem_of("base_model_name", "stabilityai/model") == ""
    data = check_paths({"concepts": [{"path": "evil/pictures"}]}, Reads.of_any())
    assert [one.field for one in data if "pictures" not in one.message or "owners" in one.message] == [
        "base_model_name",
        "concepts.0.path",
    ]


def test_a_cache_of_the_hub_cannot_lead_elsewhere(world):
    from engine.builtin.families.model_files import find_model

    folder = world / "open/hub/models--owner--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "snapshots").mkdir()
    (folder / "refs/main").write_text("../../../../closed")
    assert find_model("owner/model", str(world / "open/hub")) is None


def test_every_model_that_onetrainer_would_load_is_a_field_of_this_test(world):
    config = json.loads(json.dumps({"training_method": "LORA", "lora_model_name": "x", "vae": {"model_name": "x"}}))
    assert {field for field, _ in names_of(config, ["vae"])} <= FIELDS.keys()
