"""The names of a UNet's weights in the layout of the original release, as diffusers names them. No torch.

The names were read off published checkpoints. Blocks are numbered consecutively there: each layer of a block is one,
and so is each step down in size. `single_file` has the opposite way.
"""

from __future__ import annotations

import re
from collections.abc import Callable

UNET, VAE = "model.diffusion_model.", "first_stage_model."
Pairs = tuple[tuple[str, str], ...]

RESNET: Pairs = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)
UNET_ENDS: Pairs = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_in", "input_blocks.0.0"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
    ("mid_block.resnets.0", "middle_block.0"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
)
BLOCK = re.compile(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.*)")


def renamed(name: str, pairs: Pairs) -> str:
    """The name with whole parts of it replaced by their pairs, in their order."""
    for ours, theirs in pairs:
        name = re.sub(rf"(^|\.){re.escape(ours)}(?=\.)", rf"\g<1>{theirs}", name)
    return name


def name_in_diffusers(layers_per_block: int) -> Callable[[str], str]:
    """A function from a UNet's name, with or without its prefix, to that of diffusers."""
    per_block = layers_per_block + 1

    def name_of(name: str) -> str:
        name = name.removeprefix(UNET)
        found = BLOCK.fullmatch(name)
        if found is None or name.startswith("input_blocks.0."):
            ends = renamed(name, _turned(UNET_ENDS))
            return renamed(ends, _turned(RESNET)) if ends.startswith("mid_block.resnets.") else ends
        side, number, place, rest = found[1], int(found[2]), int(found[3]), found[4]
        if side == "input" and rest.startswith("op."):
            return f"down_blocks.{number // per_block - 1}.downsamplers.0.conv.{rest.removeprefix('op.')}"
        block, layer = divmod(number - (side == "input"), per_block)
        blocks = "down_blocks" if side == "input" else "up_blocks"
        if place and rest.startswith("conv."):
            return f"{blocks}.{block}.upsamplers.0.{rest}"
        if place:
            return f"{blocks}.{block}.attentions.{layer}.{rest}"
        return f"{blocks}.{block}.resnets.{layer}.{renamed(rest, _turned(RESNET))}"

    return name_of


def _turned(pairs: Pairs) -> Pairs:
    return tuple((theirs, ours) for ours, theirs in pairs)
