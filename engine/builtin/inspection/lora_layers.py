"""The layers of a LoRA file, held against those of the base model and those that the config trains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from engine.builtin.config.layer_filter import is_matched
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import SD1, SD2, SDXL, ModelFiles, kind_of
from engine.builtin.inspection.adapters import Adapter
from engine.builtin.inspection.layers import adaptable
from engine.interface.errors import Problem

FIELD = "lora_model_name"
ENCODERS = {SD1: 1, SD2: 1, SDXL: 2}
OF_ENCODER = re.compile(r"(?:base_model\.model\.)?(?:lora_te|text_encoder)(?:_?(\d))?[._](?:text_model[._])?(.+)")
PREFIXES = ("lora_unet_", "unet_", "base_model_model_unet_", "base_model_model_")
OF_CLIP = "cond_stage_model.transformer."  # before the names of a text encoder in a single file


def look_at_layers(config: TrainConfig, model: ModelFiles | None, path: Path, adapter: Adapter) -> Iterator[Problem]:
    """An error if the file has none of the model's layers, and warnings for layers that are in only one of both."""
    encoders = {layer: found for layer in adapter.layers if (found := OF_ENCODER.fullmatch(layer))}
    if model and model.unet_weights and not any("input_blocks" in layer for layer in adapter.layers):
        of_unet = [_plain(layer) for layer in adapter.layers if layer not in encoders]
        yield from _of_unet(config, model, path, of_unet)
    yield from _of_encoders(config, model, path, encoders)


def _of_unet(config: TrainConfig, model: ModelFiles, path: Path, held: list[str]) -> Iterator[Problem]:
    known = {name.rpartition(".")[0].replace(".", "_") for name in model.unet_weights}
    lacking = [layer for layer in held if layer not in known]
    if held and len(lacking) == len(held):
        yield Problem(
            FIELD,
            f"none of the {len(held)} layers of {path.name} is in the base model, such as {lacking[0]}; choose a "
            "LoRA that was trained on this kind of model",
        )
        return
    if lacking:
        text = f"{len(lacking)} of the {len(held)} layers of {path.name} are not in the base model"
        yield Problem(FIELD, f"{text}, such as {lacking[0]}; they are left out", "warning")
    trained = [layer.replace(".", "_") for layer in adaptable(model.unet_weights) if is_matched(config, layer)]
    begun = [layer for layer in trained if layer in held]
    if config.unet.train and len(begun) < len(trained):
        text = f"{path.name} holds {len(begun)} of the {len(trained)} layers of unet that the config trains"
        yield Problem(FIELD, f"{text}; the others start untrained, unless layer_filter leaves them out", "warning")


def _of_encoders(
    config: TrainConfig, model: ModelFiles | None, path: Path, layers: dict[str, re.Match[str]]
) -> Iterator[Problem]:
    """Layers of text encoders that the model does not have, or that the config does not train."""
    count = ENCODERS.get(kind_of(config.model_type))
    if count is None:
        return
    known = _encoder_layers(model) if count == 1 else set()
    unknown = [
        layer
        for layer, found in layers.items()
        if int(found[1] or 1) > count or (known and found[2].replace(".", "_") not in known)
    ]
    if unknown:
        text = f"{len(unknown)} layers of {path.name} are of a text encoder that the base model does not have"
        yield Problem(FIELD, f"{text}, such as {unknown[0]}; they are left out", "warning")
    if len(layers) > len(unknown) and not config.text_encoder.train:
        text = f"{path.name} also changes the text encoder, which is not trained here"
        yield Problem(FIELD, f"{text}; turn on text_encoder.train to keep that part", "warning")
    elif len(layers) == len(unknown) and config.text_encoder.train:
        text = f"{path.name} holds no layers of the text encoder, which starts untrained"
        yield Problem(FIELD, f"{text}; turn off text_encoder.train to leave it as it is", "warning")


def _encoder_layers(model: ModelFiles | None) -> set[str]:
    """The layers of the only text encoder; none for a layout with other names."""
    names = model.shapes.get("text_encoder", {}) if model else {}
    plain = {name.removeprefix(OF_CLIP).removeprefix("text_model.").rpartition(".")[0] for name in names}
    is_known = any(name.endswith("self_attn.q_proj") for name in plain)
    return {name.replace(".", "_") for name in plain} if is_known else set()


def _plain(layer: str) -> str:
    """A layer's name without a prefix, with old names of diffusers' attention in the present form."""
    layer = layer.replace(".", "_")
    for prefix in PREFIXES:
        layer = layer.removeprefix(prefix)
    layer = layer.replace("label_emb_0_0", "add_embedding_linear_1").replace("label_emb_0_2", "add_embedding_linear_2")
    return layer.replace("_processor_to_out", "_to_out_0").replace("_processor_", "_")
