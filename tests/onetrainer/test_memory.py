"""The memory estimate of a training by OneTrainer knows the family, the data types and what is offloaded."""

from __future__ import annotations

import pytest

from engine.builtin.estimates.memory import GIB
from engine.onetrainer.checks.memory import estimate_memory, sizes_of
from engine.onetrainer.preflight import preflight

FLUX = ["transformer", "text_encoder", "text_encoder_2", "vae"]


def config_of(model_type="FLUX_DEV_1", dtype="BFLOAT_16", **changes):
    part = {"weight_dtype": dtype, "train": True, "gradient_checkpointing": True, "offload_fraction": 0.0}
    encoders = {name: {**part, "train": False} for name in ("text_encoder", "text_encoder_2", "text_encoder_3", "vae")}
    facts = {"model_type": model_type, "base_model_name": "owner/model", "training_method": "LORA", "lora_rank": 16}
    facts |= {"resolution": "512", "batch_size": 1, "train_dtype": "BFLOAT_16", "latent_caching": True}
    return {**facts, "transformer": part, "unet": part, **encoders, **changes}


def gigabytes(parts=FLUX, **changes):
    config = config_of(**changes)
    return estimate_memory(config, parts, sizes_of(config, parts, {})).total / GIB


def test_a_lora_of_a_transformer_of_12_billion_weights_needs_more_than_24_gigabytes():
    assert 24 < gigabytes() < 30


def test_quantized_weights_need_a_share_of_it():
    assert 12 < gigabytes(dtype="INT_W8A8") < 16
    assert gigabytes(dtype="NFLOAT_4") < 12.5


def test_offloaded_layers_are_not_on_the_gpu():
    part = {"weight_dtype": "BFLOAT_16", "train": True, "gradient_checkpointing": True, "offload_fraction": 0.5}
    assert gigabytes(transformer=part) < gigabytes() - 9


def test_without_cached_latents_the_text_encoders_stay():
    assert gigabytes(latent_caching=False) > gigabytes() + 8


def test_a_fine_tune_holds_gradients_and_the_optimizers_state():
    whole = gigabytes(training_method="FINE_TUNE", optimizer={"optimizer": "ADAMW"})
    assert whole > gigabytes(training_method="FINE_TUNE", optimizer={"optimizer": "ADAMW_8BIT"}) > 48
    assert whole > 24 + 24 + 88


def test_while_caching_a_small_model_needs_its_large_text_encoder():
    config = config_of("PIXART_ALPHA")
    parts = ["transformer", "text_encoder", "vae"]
    need = estimate_memory(config, parts, sizes_of(config, parts, {}))
    assert "weights of the text_encoder, while caching" in need.parts and 9 < need.total / GIB < 14


def test_more_pixels_and_pictures_need_more():
    assert gigabytes() < gigabytes(resolution="1024") < gigabytes(resolution="1024", batch_size=4)


def test_files_on_this_machine_count_before_published_sizes():
    shapes = {"transformer": {"layer.weight": (1000, 1000)}}
    assert sizes_of(config_of(), FLUX, shapes).parts["transformer"] == 1_000_000


@pytest.mark.parametrize("model_type", ["NEXT_YEARS_MODEL", "FLUX_2", "STABLE_DIFFUSION_35"])
def test_a_size_that_is_not_known_is_told_instead_of_a_number(config, model_type):
    facts = {"model_parts": {model_type: ["transformer"]}, "named_parts": []}
    facts |= {"image_endings": [".png"], "video_endings": [], "video_models": []}
    changed = config | {"model_type": model_type, "base_model_name": "owner/model"}
    result = preflight(changed, [{"name": "GPU", "memory_total_gb": 8.0}], facts=facts)
    assert "memory" not in result.estimate
    assert any("cannot be estimated" in one.message and not one.is_error for one in result.problems)
