"""What a LoRA file is, read from its header: its kind, its layout, the model that it is for, ranks and strengths.

The names of the tensors are those that the programs write: sd-scripts (kohya), LyCORIS, peft, diffusers, OneTrainer,
ComfyUI.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.families.model_files import BY_WIDTH, FLUX, SD3, SDXL
from engine.interface.safetensors_header import BadHeader, Header, Shape, TensorPlace, read_header

LORA, LOCON, DORA, LOHA, LOKR, OFT, BOFT = "LoRA", "LoCon", "DoRA", "LoHa", "LoKr", "OFT", "BOFT"
# A pattern in a tensor's name, and the kind that it shows; the first match counts.
KINDS = (
    (re.compile(r"\.dora_scale$|lora_magnitude_vector"), DORA),
    (re.compile(r"\.hada_[wt]\d"), LOHA),
    (re.compile(r"\.lokr_[wt]\d"), LOKR),
    (re.compile(r"boft_"), BOFT),
    (re.compile(r"oft_(blocks|diag|[rR])"), OFT),
    (re.compile(r"\.[ab][12]\.weight$"), "GLoRA"),
    (re.compile(r"ia3_|\.on_input$"), "IA3"),
    (re.compile(r"lora_(down|up|[AB])\b|lora\.(down|up)|lora_linear_layer"), LORA),
    (re.compile(r"\.(diff|diff_b|w_norm)$"), "a difference of full weights"),
)
DOWN = re.compile(r"(\.lora_down|\.lora_A|[._]lora\.down|\.lora_linear_layer\.down)(\.default)?\.weight$")
UP = re.compile(r"(\.lora_up|\.lora_B|[._]lora\.up|\.lora_linear_layer\.up)(\.default)?\.weight$")
ENDS = re.compile(
    r"(\.lora_(down|up|mid|A|B|magnitude_vector)|[._]lora\.(down|up)|\.lora_linear_layer\.(down|up))(\.default)?"
    r"(\.weight)?$|\.(alpha|dora_scale|(hada|lokr|boft|ia3)_\w+|oft_\w+(\.weight)?|on_input|diff(_b)?"
    r"|[ab][12]\.weight|weight)$"
)
NUMBERS = {"F16": "<e", "F32": "<f", "F64": "<d", "I64": "<q", "I32": "<i"}  # for struct
# The layout by a tensor's start.
LAYOUTS = (
    ("lora_unet_", "kohya"),
    ("lora_te", "kohya"),
    ("lora_transformer", "OneTrainer"),
    ("lycoris_", "LyCORIS"),
    ("base_model.model.", "peft"),
    ("diffusion_model.", "ComfyUI"),
    ("unet.", "diffusers"),
    ("transformer.", "diffusers"),
    ("text_encoder", "diffusers"),
)
# Parts of names that only one architecture has, or that it has together.
BY_NAMES = (
    (("lora_te1_", "lora_te2_"), SDXL),
    (("text_encoder_2.text_model", "attn2"), SDXL),
    (("input_blocks_7_1_transformer_blocks_9",), SDXL),
    (("single_transformer_blocks",), FLUX),
    (("single_blocks", "double_blocks"), FLUX),
    (("joint_blocks",), SD3),
    (("img_mlp", "txt_mlp"), "Qwen-Image"),
    (("cross_attn", "self_attn", "blocks"), "Wan"),
)


class NotALora(ValueError):
    """The file holds no LoRA; the message says what it is, and what to do."""


@dataclass(frozen=True)
class Adapter:
    """Facts of a LoRA file. `ranks` and `alphas` are the different values of its layers; `layers` their names."""

    kind: str
    layout: str
    family: str  # in the words of `families.model_files`; empty if the names do not show it
    ranks: list[int]
    alphas: list[float]
    layers: list[str] = field(default_factory=list)
    has_text_encoder: bool = False
    halves: list[str] = field(default_factory=list)  # layers with one of their two matrices

    def __str__(self) -> str:
        """Such as "a LoHa for Stable Diffusion XL with rank 8"."""
        article = "an" if self.kind.startswith(("OFT", "IA3")) else "" if self.kind.startswith("a ") else "a"
        rank = f" with rank {_listed(self.ranks)}" if self.ranks else ""
        return f"{article} {self.kind}".strip() + (f" for {self.family}" if self.family else "") + rank


def read_adapter(path: Path) -> Adapter:
    """The facts of a LoRA file; no tensor may be missing. Raises NotALora and OSError."""
    try:
        header = read_header(path)
    except BadHeader as error:
        raise NotALora(f"{path} is not a safetensors file, or is damaged ({error}); choose another file") from error
    if header.file_size != path.stat().st_size:
        raise NotALora(f"{path} is damaged: its size is not what its header says; copy or train it again")
    names = {name: shape for name, shape in header.shapes.items() if not name.startswith("bundle_emb.")}
    kind = _kind(names)
    if not kind:
        raise NotALora(f"{path} is {_what_else(names)}, not a LoRA; choose another file")
    downs = [(name, shape) for name, shape in names.items() if DOWN.search(name)]
    return Adapter(
        kind=kind,
        layout=next((layout for start, layout in LAYOUTS if any(name.startswith(start) for name in names)), ""),
        family=_family(names),
        ranks=sorted(set(_ranks(names, downs))),
        alphas=sorted(set(_alphas(path, header))),
        layers=sorted({layer_of(name) for name in names}),
        has_text_encoder=any(name.startswith(("lora_te", "text_encoder")) for name in names),
        halves=sorted({layer_of(name) for name, _ in downs} ^ {layer_of(name) for name in names if UP.search(name)}),
    )


def layer_of(name: str) -> str:
    """The name of the layer that a tensor changes, as the file writes it."""
    return ENDS.sub("", name)


def _kind(names: dict[str, Shape]) -> str:
    kind = next((kind for pattern, kind in KINDS if any(pattern.search(name) for name in names)), "")
    if kind == OFT and any(name.endswith(".oft_blocks") and len(shape) == 4 for name, shape in names.items()):
        return BOFT  # as LyCORIS writes it: several rotations, one after the other
    has_kernels = any(DOWN.search(name) and len(shape) == 4 and max(shape[2:]) > 1 for name, shape in names.items())
    return LOCON if kind == LORA and (has_kernels or any("lora_mid" in name for name in names)) else kind


def _what_else(names: dict[str, Shape]) -> str:
    if not names:
        return "an empty file"
    if any(name in names for name in ("emb_params", "clip_l", "clip_g")):
        return "an embedding"
    if any("control_model" in name or "controlnet" in name for name in names):
        return "a ControlNet"
    if any("diffusion_model" in name or "down_blocks" in name or "transformer_blocks" in name for name in names):
        return "a whole model or a part of it"
    return "a file of other weights"


def _family(names: dict[str, Shape]) -> str:
    text = "\n".join(names)
    by_names = next((family for parts, family in BY_NAMES if all(part in text for part in parts)), "")
    return by_names or next((BY_WIDTH[width] for width in _text_widths(names) if width in BY_WIDTH), "")


def _text_widths(names: dict[str, Shape]) -> Iterator[int]:
    """The widths of the text that cross-attention takes: the inputs of the keys' layers."""
    for name, shape in names.items():
        if "attn2" not in name or "to_k" not in name or len(shape) < 2:
            continue
        if DOWN.search(name) or name.endswith("hada_w1_b"):
            yield shape[1]
        elif name.endswith("lokr_w1"):
            yield shape[1] * _second_width(names, name.removesuffix("lokr_w1"))


def _second_width(names: dict[str, Shape], layer: str) -> int:
    """A LoKr layer is a Kronecker product: its input's width is the product of both factors' widths."""
    second = names.get(f"{layer}lokr_w2") or names.get(f"{layer}lokr_w2_b") or (0, 0)
    return second[1]


def _ranks(names: dict[str, Shape], downs: list[tuple[str, Shape]]) -> Iterator[int]:
    yield from (shape[0] for _name, shape in downs if shape)
    for name, shape in names.items():
        if name.endswith(("hada_w1_b", "lokr_w2_b", "lokr_w1_b")) and shape:
            yield shape[0]


def _alphas(path: Path, header: Header) -> Iterator[float]:
    with path.open("rb") as file:
        for name, place in header.tensors.items():
            if name.endswith(".alpha") and place.dtype in ("BF16", *NUMBERS) and place.end - place.start in (2, 4, 8):
                file.seek(place.start)
                yield _number(file.read(place.end - place.start), place)


def _number(data: bytes, place: TensorPlace) -> float:
    """A single little-endian number; a bfloat16 is the upper half of a float32."""
    if place.dtype == "BF16":
        return float(struct.unpack("<f", b"\0\0" + data)[0])
    return float(struct.unpack(NUMBERS[place.dtype], data)[0])


def _listed(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
