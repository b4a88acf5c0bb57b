"""Stable Diffusion as one safetensors file, in the layout of the original release, as most image programs load it.

The names were read off published checkpoints; diffusers has the opposite way in `diffusers.loaders.single_file_utils`.
The file also carries the configs and the tokenizer as metadata, so that it can be loaded again without the hub.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

from engine.builtin.families.original_names import RESNET, UNET, UNET_ENDS, VAE, renamed
from engine.builtin.families.portable import make_portable
from engine.builtin.families.published import CONFIGS
from engine.interface.safetensors_header import read_header

VAE_PARTS = (
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
    ("mid_block.attentions.0.to_q", "mid.attn_1.q"),
    ("mid_block.attentions.0.to_k", "mid.attn_1.k"),
    ("mid_block.attentions.0.to_v", "mid.attn_1.v"),
    ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"),
    ("conv_norm_out", "norm_out"),
    ("conv_shortcut", "nin_shortcut"),
)
OPEN_CLIP_LAYER = (
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
    ("self_attn.out_proj", "attn.out_proj"),
)
OPEN_CLIP_ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}


def save_single_file(
    pipeline: DiffusionPipeline, path: Path, dtype: torch.dtype, metadata: dict[str, str], texts: dict[str, Tensor]
) -> None:
    """Write the pipeline to `path`; `texts` are the weights of its text encoders, as the layout names them."""
    tensors = {UNET + name: weight for name, weight in _unet(pipeline).items()}
    tensors |= {VAE + name: weight for name, weight in _vae(pipeline).items()}
    tensors |= texts
    on_disk = {name: weight.detach().to("cpu", dtype).contiguous() for name, weight in tensors.items()}
    save_file(on_disk, path, metadata | {CONFIGS: json.dumps(_configs(pipeline))})


@contextmanager
def configs_within(path: Path) -> Iterator[str | None]:
    """The folder of configs inside a file, for `from_single_file(config=...)`; None if the file has none."""
    carried = read_header(path).metadata.get(CONFIGS) if path.suffix == ".safetensors" else None
    if carried is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, text in json.loads(carried).items():
            target = (Path(folder) / name).resolve()
            if not target.is_relative_to(Path(folder).resolve()):
                raise ValueError(f"{path.name} contains a config that would be written outside its folder: {name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        yield folder


def _configs(pipeline: DiffusionPipeline) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline.save_config(folder)
        pipeline.scheduler.save_pretrained(folder / "scheduler")
        pipeline.unet.save_config(folder / "unet")
        pipeline.vae.save_config(folder / "vae")
        for part, loaded in pipeline.components.items():
            if part.startswith("tokenizer"):
                loaded.save_pretrained(folder / part)
            elif part.startswith("text_encoder"):
                loaded.config.save_pretrained(folder / part)
        make_portable(folder)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in files}


def _unet(pipeline: DiffusionPipeline) -> dict[str, Tensor]:
    """Blocks are numbered consecutively: each layer of a block is one, and so is each step down in size."""
    config = pipeline.unet.config
    per_down, per_up = config.layers_per_block + 1, config.layers_per_block + 1
    with_attention = ["CrossAttn" in kind for kind in config.up_block_types]

    def name_of(name: str) -> str:
        if found := re.match(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            block, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
            return _layer("input_blocks", 1 + block * per_down + layer, kind, rest)
        if found := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", name):
            return f"input_blocks.{(int(found[1]) + 1) * per_down}.0.op.{found[2]}"
        if found := re.match(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            block, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
            return _layer("output_blocks", block * per_up + layer, kind, rest)
        if found := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.conv\.(.*)", name):
            block = int(found[1])
            place = 2 if with_attention[block] else 1
            return f"output_blocks.{block * per_up + per_up - 1}.{place}.conv.{found[2]}"
        name = renamed(name, UNET_ENDS)
        return renamed(name, RESNET) if re.match(r"middle_block\.[02]\.", name) else name

    return {name_of(name): weight for name, weight in pipeline.unet.state_dict().items()}


def _layer(side: str, number: int, kind: str, rest: str) -> str:
    if kind == "resnets":
        return f"{side}.{number}.0.{renamed(rest, RESNET)}"
    return f"{side}.{number}.1.{rest}"


def _vae(pipeline: DiffusionPipeline) -> dict[str, Tensor]:
    """The decoder's blocks are counted from the largest size down."""
    last = len(pipeline.vae.config.block_out_channels) - 1
    named = {}
    for name, weight in pipeline.vae.state_dict().items():
        new = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
        new = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", new)
        new = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda found: f"up.{last - int(found[1])}.block.", new)
        new = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda found: f"up.{last - int(found[1])}.upsample.", new)
        is_attention = "mid_block.attentions" in name and "group_norm" not in name and weight.dim() == 2
        named[renamed(new, VAE_PARTS)] = weight[:, :, None, None] if is_attention else weight
    return named


def clip(encoder: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of a text encoder of CLIP, named as in the original layout."""
    return {f"{prefix}transformer.text_model.{name.removeprefix('text_model.')}": encoder[name] for name in encoder}


def open_clip(encoder: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same of OpenCLIP, which keeps query, key and value in one matrix, and the projection turned."""
    named: dict[str, Tensor] = {}
    weights = {name.removeprefix("text_model."): weight for name, weight in encoder.items()}
    for name, weight in weights.items():
        if name == "text_projection.weight":
            named["text_projection"] = weight.T
        elif name in OPEN_CLIP_ENDS:
            named[OPEN_CLIP_ENDS[name]] = weight
        elif found := re.match(r"encoder\.layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)", name):
            stem, kind = name.removesuffix(f"q_proj.{found[2]}"), found[2]
            joined = torch.cat([weights[f"{stem}{part}_proj.{kind}"] for part in "qkv"])
            named[f"transformer.resblocks.{found[1]}.attn.in_proj_{kind}"] = joined
        elif found := re.match(r"encoder\.layers\.(\d+)\.(?!self_attn\.[kv]_proj)(.*)", name):
            named[f"transformer.resblocks.{found[1]}.{renamed(found[2], OPEN_CLIP_LAYER)}"] = weight
    return {f"{prefix}model.{name}": weight for name, weight in named.items()}
