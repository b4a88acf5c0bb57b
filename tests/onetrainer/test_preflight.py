"""The check before a run of OneTrainer is queued: only what would certainly fail is an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from engine.engines import ROOT
from engine.onetrainer.checks.data import VIDEOS
from engine.onetrainer.preflight import preflight
from presets.config.named_paths import Reads
from presets.config.paths import check_paths, with_absolute_paths
from tests.onetrainer.conftest import HAS_ONE

FACTS = {
    "model_parts": {
        "STABLE_DIFFUSION_15": ["unet", "text_encoder", "vae"],
        "FLUX_DEV_1": ["transformer", "text_encoder", "text_encoder_2", "vae"],
        "HUNYUAN_VIDEO": ["transformer", "text_encoder", "text_encoder_2", "vae"],
        "NEXT_YEARS_MODEL": ["transformer"],
    },
    "named_parts": ["transformer", "vae"],
    "image_endings": [".png"],
    "video_endings": sorted(VIDEOS),
    "video_models": ["HUNYUAN_VIDEO"],
    "size_multiples": {"STABLE_DIFFUSION_15": {"": 64, "FINE_TUNE_VAE": 8}},
}


def found(config, severity="error", facts=FACTS):
    return {one.field: one.message for one in preflight(config, [], facts=facts).problems if one.severity == severity}


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(ROOT / "engine/demo/model", tmp_path / "model")


def test_settings_unknown_to_the_built_in_trainer_are_no_problem(config, tmp_path):
    """As the worker runs it."""
    config |= {"text_encoder": {"stop_training_after": 30, "stop_training_after_unit": "EPOCH"}, "cloud": {}}
    config |= {"optimizer": {"optimizer": "LION"}, "ema": "SOMETHING_NEW"}
    (tmp_path / "spec.json").write_text(json.dumps({"config": config, "engine": "onetrainer", "gpus": []}))
    command = [sys.executable, "-m", "engine.preflight", str(tmp_path / "spec.json")]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(said[-1])["problems"] == [] and json.loads(said[-1])["estimate"]["batches"] == 2


def test_a_folder_without_an_index_is_a_model_if_it_has_the_parts(config, model):
    """OneTrainer takes each part from its folder; tools that copy a model may leave the index out."""
    (model / "model_index.json").unlink()
    assert found(config | {"base_model_name": str(model)}) == {}
    shutil.rmtree(model / "vae")
    assert "has no vae/config.json" in found(config | {"base_model_name": str(model)})["base_model_name"]


def test_a_model_without_its_tokenizer_is_an_error(config, model):
    shutil.rmtree(model / "tokenizer")
    named = config | {"base_model_name": str(model)}
    assert "no folder tokenizer" in found(named)["base_model_name"]
    assert "base_model_name" not in found(named | {"text_encoder": {"include": False}})


def test_a_part_that_is_left_out_or_has_a_model_of_its_own_is_not_looked_for(config, model):
    shutil.move(model / "vae", model.parent / "vae")
    shutil.rmtree(model / "text_encoder")
    changes = {"base_model_name": str(model), "vae": {"model_name": str(model.parent / "vae")}}
    assert "text_encoder" in found(config | changes)["base_model_name"]
    assert found(config | changes | {"text_encoder": {"include": False}}) == {}


def test_a_missing_part_is_an_error_at_its_own_field(config, tmp_path):
    missing = found(config | {"vae": {"model_name": str(tmp_path / "none")}})
    assert list(missing) == ["vae.model_name"] and "does not exist" in missing["vae.model_name"]
    (tmp_path / "vae.safetensors").touch()
    a_file = found(config | {"vae": {"model_name": str(tmp_path / "vae.safetensors")}})
    assert "a VAE from a folder alone" in a_file["vae.model_name"]


def test_the_name_of_a_part_that_onetrainer_does_not_load_by_name_is_no_problem(config, tmp_path):
    assert found(config | {"unet": {"model_name": str(tmp_path / "none")}}) == {}


def test_a_folder_of_another_family_is_an_error(config, tmp_path):
    assert "transformer/config.json" in found(config | {"model_type": "FLUX_DEV_1"})["base_model_name"]
    assert "none of the folders" in found(config | {"base_model_name": str(tmp_path)})["base_model_name"]


def test_a_cut_off_file_is_an_error_in_any_family(config, tmp_path):
    (tmp_path / "transformer.safetensors").write_bytes(b"\x99\0\0\0\0\0\0\0{")
    wrong = config | {"model_type": "NEXT_YEARS_MODEL", "base_model_name": str(tmp_path / "transformer.safetensors")}
    assert "is damaged" in found(wrong)["base_model_name"]


@pytest.mark.parametrize("name", ["owner/model", "https://huggingface.co/owner/model/blob/main/model.safetensors"])
def test_a_model_of_the_hub_is_downloaded_by_the_run(config, name):
    assert found(config | {"base_model_name": name}) == {}


def test_a_lora_and_an_embedding_are_files_on_this_machine(config):
    """OneTrainer downloads models alone."""
    named = config | {"lora_model_name": "owner/lora", "additional_embeddings": [{"model_name": "owner/embedding"}]}
    assert found(named).keys() == {"lora_model_name", "additional_embeddings.0.model_name"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("base_model_name", lambda name: {"base_model_name": name}),
        ("lora_model_name", lambda name: {"lora_model_name": name}),
        ("additional_embeddings.0.model_name", lambda name: {"additional_embeddings": [{"model_name": name}]}),
    ],
)
@pytest.mark.parametrize("ending", ["ckpt", "pt", "bin"])
def test_a_pickle_is_refused_for_what_it_is_unless_the_site_allows_them(
    config, tmp_path, monkeypatch, field, change, ending
):
    name = tmp_path / f"weights.{ending}"
    name.touch()
    refused = found(config | change(str(name)))
    assert list(refused) == [field] and "is a pickle" in refused[field] and "ALLOW_PICKLED_WEIGHTS" in refused[field]
    monkeypatch.setenv("ALLOW_PICKLED_WEIGHTS", "true")
    assert found(config | change(str(name))) == {}


def test_a_part_that_has_pickles_alone_is_refused_for_what_it_is(config, model, monkeypatch):
    weights = next((model / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    assert "is a pickle" in found(config | {"base_model_name": str(model)})["base_model_name"]
    monkeypatch.setenv("ALLOW_PICKLED_WEIGHTS", "true")
    assert found(config | {"base_model_name": str(model)}) == {}


def test_a_file_that_is_not_a_picture_is_an_error_and_a_missing_caption_is_not(config, pictures):
    (pictures / "star-01.txt").unlink()
    assert found(config) == {}
    (pictures / "star-01.png").write_text("no picture")
    assert "cannot be read as a picture" in found(config)["concepts.0.path"]


@pytest.mark.parametrize("ending", sorted(VIDEOS))
def test_a_video_model_trains_on_videos_of_every_kind(config, pictures, ending):
    for path in pictures.iterdir():
        path.unlink()
    (pictures / f"a{ending.upper()}").touch()
    flux = config | {"base_model_name": "owner/model"}
    assert found(flux | {"model_type": "HUNYUAN_VIDEO"}) == found(flux, facts=None) == {}
    assert "no pictures in" in found(flux | {"model_type": "FLUX_DEV_1"})["concepts.0.path"]


def test_a_data_set_of_the_hub_is_downloaded_by_the_run(config, tmp_path):
    assert found(config | {"concepts": [{"path": "owner/pictures"}]}) == {}
    assert "does not exist" in found(config | {"concepts": [{"path": str(tmp_path / "none")}]})["concepts.0.path"]


@pytest.mark.django_db
def test_the_site_takes_a_data_set_of_the_hub_for_onetrainer_alone(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    config = {"concepts": [{"path": "owner/pictures"}]}
    config["base_model_name"] = "owner/model"
    assert check_paths(config, Reads.of_any()) == []
    assert with_absolute_paths(config, Reads.of_any()) == config
    assert [one.field for one in check_paths(config, Reads.of("builtin"))] == ["concepts.0.path"]


@pytest.mark.django_db
def test_a_part_is_loaded_from_an_allowed_folder_alone(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    config = {"vae": {"model_name": "/etc/vae"}, "transformer": {"model_name": "https://huggingface.co/a/b/c"}}
    config |= {
        "additional_embeddings": [{"model_name": "/etc/star.safetensors"}],
        "prior": {"model_name": "owner/model"},
    }
    assert {one.field for one in check_paths(config)} == {
        "vae.model_name",
        "transformer.model_name",
        "additional_embeddings.0.model_name",
    }


def test_pictures_that_onetrainer_passes_over_are_named(config, pictures):
    (pictures / "a.gif").touch()
    (pictures / "b.mp4").touch()
    told = [one.message for one in preflight(config, [], facts=FACTS).problems if one.field == "concepts.0.path"]
    assert any("a.gif" in message for message in told) and any("b.mp4" in message for message in told)


def test_too_few_pictures_for_a_batch_are_a_warning(config):
    assert "do not fill a batch" in found(config | {"batch_size": 64}, "warning")["batch_size"]


@pytest.mark.parametrize("multiple, batches", [({"": 64}, 2), ({"": 8}, 1), ({"": 64, "LORA": 8}, 1)])
def test_batches_are_counted_with_the_sizes_of_the_model_s_family(config, pictures, multiple, batches):
    for number in range(3):
        Image.new("RGB", (96, 64), (number,) * 3).save(pictures / f"wide-{number}.png")
    Image.new("RGB", (64, 64)).save(pictures / "even.png")
    for old in pictures.glob("star*"):
        old.unlink()
    facts = FACTS | {"size_multiples": {"STABLE_DIFFUSION_15": multiple}}
    settings = config | {"aspect_ratio_bucketing": True, "batch_size": 2, "training_method": "LORA"}
    assert preflight(settings, [], facts=facts).estimate["batches"] == batches


def test_an_existing_model_is_kept_and_is_no_problem(config, tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert found(config) == found(config, "warning") == {}


@pytest.mark.real_onetrainer
@HAS_ONE
def test_the_real_checkout_reads_the_kinds_of_files_that_are_known_without_it(kept_facts):
    from tests.onetrainer.attempts import real

    facts = kept_facts(real())
    assert set(facts["video_endings"]) == VIDEOS and facts["video_models"] == ["HUNYUAN_VIDEO"]
    assert "vae" in facts["named_parts"] and facts["size_multiples"]["STABLE_DIFFUSION_XL_10_BASE"] == {"": 64}
