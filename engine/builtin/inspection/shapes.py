"""The shapes that a part's config demands of some of its weights: first and last layers, and one tensor of each block.

Read off the modules UNet2DConditionModel and AutoencoderKL of diffusers and CLIPTextModel of transformers. A kind of
part that is not listed demands nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import Shape

Shapes = dict[str, Shape]


def shapes_by_config(kind: str, config: JsonObject) -> Shapes:
    """The expected shapes by tensor; empty for an unknown kind, or a config of another form."""
    try:
        return KINDS[kind](config) if kind in KINDS else {}
    except (KeyError, TypeError, IndexError):  # a config of an older or newer form, which its own loader knows
        return {}


def _unet(config: JsonObject) -> Shapes:
    widths, per_block = config["block_out_channels"], _per_block(config)
    first, kernel = widths[0], config.get("conv_in_kernel", 3)
    shapes: Shapes = {
        "conv_in.weight": (first, config["in_channels"], kernel, kernel),
        "conv_out.weight": (config["out_channels"], first, 3, 3),
        "time_embedding.linear_1.weight": (config.get("time_embedding_dim") or 4 * first, first),
    }
    before = first
    for block, width in enumerate(widths):
        for layer in range(per_block[block]):
            shapes[f"down_blocks.{block}.resnets.{layer}.conv1.weight"] = (width, before, 3, 3)
            before = width
    for block, width in enumerate(reversed(widths)):
        for layer in range(per_block[len(widths) - 1 - block] + 1):
            shapes[f"up_blocks.{block}.resnets.{layer}.conv2.weight"] = (width, width, 3, 3)
    return shapes | _attention(config, widths)


def _per_block(config: JsonObject) -> list[int]:
    layers, blocks = config.get("layers_per_block", 2), len(config["block_out_channels"])
    return layers if isinstance(layers, list) else [layers] * blocks


def _attention(config: JsonObject, widths: list[int]) -> Shapes:
    """The layers that take the text, by the kinds of the blocks on the way down."""
    text = config.get("cross_attention_dim")
    if not isinstance(text, int) or config.get("encoder_hid_dim"):
        return {}
    kinds = config.get("down_block_types", [])
    return {
        f"down_blocks.{block}.attentions.0.transformer_blocks.0.attn2.to_k.weight": (widths[block], text)
        for block, kind in enumerate(kinds)
        if kind == "CrossAttnDownBlock2D"
    }


def _vae(config: JsonObject) -> Shapes:
    widths, latents = config["block_out_channels"], config["latent_channels"]
    layers, last = config.get("layers_per_block", 1), widths[-1]
    shapes: Shapes = {
        "encoder.conv_in.weight": (widths[0], config["in_channels"], 3, 3),
        "encoder.conv_out.weight": (2 * latents, last, 3, 3),
        "decoder.conv_in.weight": (last, latents, 3, 3),
        "decoder.conv_out.weight": (config["out_channels"], widths[0], 3, 3),
    }
    for block, width in enumerate(widths):
        for layer in range(layers):
            shapes[f"encoder.down_blocks.{block}.resnets.{layer}.conv2.weight"] = (width, width, 3, 3)
    for block, width in enumerate(reversed(widths)):
        for layer in range(layers + 1):
            shapes[f"decoder.up_blocks.{block}.resnets.{layer}.conv2.weight"] = (width, width, 3, 3)
    return shapes


def _clip(config: JsonObject) -> Shapes:
    width = config["hidden_size"]
    shapes: Shapes = {
        "text_model.embeddings.token_embedding.weight": (config["vocab_size"], width),
        "text_model.embeddings.position_embedding.weight": (config["max_position_embeddings"], width),
        "text_model.final_layer_norm.weight": (width,),
    }
    for layer in range(config["num_hidden_layers"]):
        shapes[f"text_model.encoder.layers.{layer}.mlp.fc1.weight"] = (config["intermediate_size"], width)
    return shapes


KINDS: dict[str, Callable[[JsonObject], Shapes]] = {
    "UNet2DConditionModel": _unet,
    "AutoencoderKL": _vae,
    "CLIPTextModel": _clip,
    "CLIPTextModelWithProjection": _clip,
}
