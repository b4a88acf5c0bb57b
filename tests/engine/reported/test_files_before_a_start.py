"""Base models and LoRA files that failed minutes into a training elsewhere, or trained on rubbish without an error."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.inspection.starting_lora import look_at_starting_lora
from engine.builtin.preflight import look_at_model

DEMO = Path("engine/demo/model")
UNET = "unet/diffusion_pytorch_model.safetensors"
TO_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


@pytest.fixture
def model(tmp_path):
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def of_model(path, **settings):
    config = TrainConfig.from_dict({"base_model_name": str(path), **settings})
    _model, problems = look_at_model(config, lambda *at: None)
    return " ".join(problem.message for problem in problems if problem.is_error)


def of_lora(path, **settings):
    values = {"training_method": "LORA", "lora_model_name": str(path), "lora_rank": 16, "lora_alpha": 16}
    problems = look_at_starting_lora(TrainConfig.from_dict({**values, **settings}), None)
    return " ".join(problem.message for problem in problems if problem.is_error)


def stored(path, tensors):
    save_file(tensors, path)
    return path


def test_a_download_that_was_cut_off_is_named_before_the_start(model):
    """bmaltais/kohya_ss#1973, Akegarasu/lora-scripts#276, cocktailpeanut/fluxgym#360: MetadataIncompleteBuffer."""
    os.truncate(model / UNET, (model / UNET).stat().st_size // 2)
    assert "cut off" in of_model(model) and UNET in of_model(model)


def test_a_page_of_a_hub_in_place_of_a_model_is_named(tmp_path):
    """huggingface/diffusers#3960, XLabs-AI/x-flux#64: HeaderTooLarge."""
    page = tmp_path / "model.safetensors"
    page.write_text("<!DOCTYPE html><html><body>Sign in to download</body></html>")
    assert "not a safetensors file" in of_model(page)
    assert "not a safetensors file" in of_lora(page)


def test_a_model_without_its_tokenizer_is_refused(model):
    """d8ahazard/sd_dreambooth_extension#270: the folder of the tokenizer was empty."""
    shutil.rmtree(model / "tokenizer")
    (model / "tokenizer").mkdir()
    assert "tokenizer" in of_model(model) and "vocab.json" in of_model(model)


def test_a_model_of_version_1_that_is_trained_as_version_2_is_refused(model):
    """kohya-ss/sd-scripts#1226, kohya-ss/sd-scripts#404: hundreds of lines of size mismatch, 768 against 1024."""
    config = json.loads((model / "unet/config.json").read_text())
    (model / "unet/config.json").write_text(json.dumps(config | {"cross_attention_dim": 1024}))
    said = of_model(model, model_type="STABLE_DIFFUSION_21")
    assert "attn2.to_k.weight has the shape 48 x 96" in said and "must be 48 x 1024" in said


def test_weights_with_nan_are_named_by_their_tensor(model):
    """kohya-ss/sd-scripts#343: black samples, since each loss was NaN."""
    tensors = load_file(model / UNET)
    tensors["mid_block.resnets.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    stored(model / UNET, tensors)
    assert "NaN or infinity in mid_block.resnets.0.conv1.weight" in of_model(model)


def test_a_lora_of_another_rank_is_refused_with_both_ranks(tmp_path):
    """HighCWu/control-lora-v3#12: size mismatch, 64 against 16."""
    weights = {f"{TO_K}.lora_down.weight": torch.ones(64, 768), f"{TO_K}.lora_up.weight": torch.ones(320, 64)}
    assert "has rank 64, and lora_rank is 16" in of_lora(stored(tmp_path / "a.safetensors", weights))


def test_a_loha_is_called_what_it_is(tmp_path):
    """KohakuBlueleaf/a1111-sd-webui-locon#9, bmaltais/kohya_ss#307: another kind failed to match, key by key."""
    weights = {f"{TO_K}.hada_w1_b": torch.ones(16, 768), f"{TO_K}.hada_w1_a": torch.ones(320, 16)}
    assert "is a LoHa for Stable Diffusion 1 with rank 16" in of_lora(stored(tmp_path / "a.safetensors", weights))


def test_a_lora_that_was_cut_off_is_refused(tmp_path):
    """replicate/cog-comfyui#329: incomplete metadata, file not fully covered."""
    path = stored(tmp_path / "a.safetensors", {f"{TO_K}.lora_down.weight": torch.ones(16, 768)})
    os.truncate(path, path.stat().st_size - 100)
    assert "damaged" in of_lora(path)
