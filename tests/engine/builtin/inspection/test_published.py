"""The configs and the tokenizer that come with the program are those of the published models; no hub is asked."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.builtin.config.enums import ModelType
from engine.builtin.families.published import KNOWN, published_configs
from engine.builtin.inspection.folders import look_at_folder

OF_1 = (859_520_964, 83_653_863, 123_060_480)  # weights of UNet, VAE and text encoder, as published
OF_XL = (2_567_463_684, 83_653_863, 123_060_480)
OF_2 = (865_910_724, 83_653_863, 340_387_840)


@pytest.mark.parametrize(
    "model_type, weights, prediction",
    [
        (ModelType.STABLE_DIFFUSION_15, OF_1, "epsilon"),
        (ModelType.STABLE_DIFFUSION_21, OF_2, "v_prediction"),
        (ModelType.STABLE_DIFFUSION_XL_10_BASE, OF_XL, "epsilon"),
    ],
)
def test_the_parts_have_as_many_weights_as_the_published_models(model_type, weights, prediction):
    with published_configs(model_type) as folder, torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(f"{folder}/unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(f"{folder}/vae"))
        text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(f"{folder}/text_encoder"))
        scheduler = UNet2DConditionModel.load_config(f"{folder}/scheduler/scheduler_config.json")
    found = tuple(sum(weight.numel() for weight in part.parameters()) for part in (unet, vae, text_encoder))
    assert (found, scheduler["prediction_type"]) == (weights, prediction)


@pytest.mark.parametrize("model_type, padding", [("STABLE_DIFFUSION_15", 49407), ("STABLE_DIFFUSION_21", 0)])
def test_the_tokenizer_is_clip_s(model_type, padding):
    with published_configs(ModelType(model_type)) as folder:
        tokenizer = CLIPTokenizer.from_pretrained(f"{folder}/tokenizer")
    assert tokenizer("A photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("a", padding="max_length").input_ids[2:] == [49407, *[padding] * 74]
    assert len(tokenizer.get_vocab()) == 49408


@pytest.mark.parametrize("model_type", KNOWN)
def test_only_weights_are_missing_in_a_folder_of_configs(model_type):
    with published_configs(model_type) as folder:
        said = " ".join(map(str, look_at_folder(Path(folder))))
    parts = 4 if "XL" in model_type else 3
    assert said.count("has no weights") == parts and said.count(";") == parts


def test_a_model_type_that_is_not_listed_has_no_configs():
    with published_configs(ModelType.FLUX_DEV_1) as folder:
        assert folder is None
