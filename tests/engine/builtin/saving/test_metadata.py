"""The metadata of saved files, read by the rules of the programs that show it (docs/trainer.md names their sources)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import pytest

from engine.builtin.saving.trained_data import shared_phrase
from engine.interface.safetensors_header import LENGTH_BYTES, read_header
from tests.engine.tiny import Training, make_model, make_pictures

SD2 = {"model_type": "STABLE_DIFFUSION_21", "force_v_prediction": True, "resolution": "32,48"}
WHOLE = {"training_method": "FINE_TUNE", "output_model_format": "SAFETENSORS", "learning_rate": 1e-4}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metadata")
    model, pictures = make_model(folder / "model", levels=1), make_pictures(folder / "stars", size=(32, 32))
    kinds = {"lora": {}, "lora2": SD2, "whole": WHOLE}
    return {
        kind: Training(model, pictures, folder / kind, epochs=1, **changes).run().artifacts("model")[0]
        for kind, changes in kinds.items()
    }


def as_webui_reads(path):
    """Automatic1111 and Forge parse values that begin with a brace (modules/sd_models.py)."""
    facts = read_header(path).metadata
    return {name: json.loads(text) if text.startswith("{") else text for name, text in facts.items()}


def version_in_webui(facts):
    """extensions-builtin/Lora/network.py"""
    if facts.get("ss_base_model_version", "").startswith("sdxl_"):
        return "SDXL"
    return "SD2" if facts.get("ss_v2") == "True" else "SD1"


@pytest.mark.parametrize(("kind", "version"), [("lora", "SD1"), ("lora2", "SD2")])
def test_webui_recognizes_the_version_of_stable_diffusion(files, kind, version):
    assert version_in_webui(as_webui_reads(files[kind])) == version


def test_webui_shows_name_date_size_and_tags(files):
    """extensions-builtin/Lora/ui_edit_user_metadata.py"""
    facts = as_webui_reads(files["lora"])
    assert facts["ss_output_name"] == files["lora"].stem
    assert 0 <= datetime.now().timestamp() - float(facts["ss_training_started_at"]) < 600
    assert facts["ss_dataset_dirs"] == {"stars": {"n_repeats": 1, "img_count": 6}}
    assert facts["ss_bucket_info"]["buckets"] == {"0": {"resolution": [32, 32], "count": 6}}
    assert facts["ss_tag_frequency"]["stars"]["a red circle number 0"] == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lora", ("sd_v1", "False", "False", "networks.lora", "4", "2.0")),
        ("lora2", ("sd_v2_v", "True", "True", "networks.lora", "4", "2.0")),
    ],
)
def test_sd_scripts_finds_the_network_and_its_base(files, kind, expected):
    """library/model_io.py and networks/merge_lora.py"""
    keys = ("base_model_version", "v2", "v_parameterization", "network_module", "network_dim", "network_alpha")
    facts = read_header(files[kind]).metadata
    assert tuple(facts[f"ss_{key}"] for key in keys) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("lora", ("stable-diffusion-v1/lora", "diffusers", "32x32", "epsilon")),
        ("lora2", ("stable-diffusion-v2-768-v/lora", "diffusers", "32x32", "v")),
        ("whole", ("stable-diffusion-v1", "https://github.com/Stability-AI/generative-models", "32x32", "epsilon")),
    ],
)
def test_the_model_spec_is_whole(files, kind, expected):
    facts = read_header(files[kind]).metadata
    keys = ("architecture", "implementation", "resolution", "prediction_type")
    assert tuple(facts[f"modelspec.{key}"] for key in keys) == expected
    assert facts["modelspec.sai_model_spec"] == "1.0.1"
    assert facts["modelspec.title"] == files[kind].stem
    assert datetime.fromisoformat(facts["modelspec.date"]).tzinfo is not None
    assert facts["modelspec.trigger_phrase"] == "red circle number"


def test_only_a_lora_is_named_as_one(files):
    assert not [name for name in read_header(files["whole"]).metadata if name.startswith("ss_network")]


@pytest.mark.parametrize("kind", ["lora", "lora2", "whole"])
def test_the_hash_is_of_the_tensors_without_the_header(files, kind):
    """modules/hashes.py of Automatic1111, as sshs_model_hash, and ModelSpec"""
    content = files[kind].read_bytes()
    tensors = content[LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little") :]
    digest = hashlib.sha256(tensors).hexdigest()
    facts = read_header(files[kind]).metadata
    assert facts["sshs_model_hash"] == digest
    assert facts["modelspec.hash_sha256"] == f"0x{digest}"


@pytest.mark.parametrize(
    ("captions", "phrase"),
    [
        (["a photo of r3x dog", "r3x dog on a beach", "the r3x dog"], "r3x dog"),
        (["r3x, dog, grass", "beach, r3x", "R3x"], "r3x"),
        (["r3x, dog, grass", "beach, dog, r3x"], "r3x, dog"),
        (["a photo of a cat"], "cat"),
        (["a cat", "the dog"], ""),
        (["a photo of", "a photo of"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_the_trigger_phrase_is_what_all_captions_share(captions, phrase):
    assert shared_phrase(captions) == phrase
