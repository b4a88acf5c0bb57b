"""The kind of a base model, read from its files: its architecture, and the shapes of its weights.

Needs no torch, and reads only the header of a safetensors file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.config.enums import ModelType
from engine.builtin.families.original_names import UNET, name_in_diffusers
from engine.builtin.families.published import CONFIGS
from engine.interface.json_files import BadJson, read_object
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import BadHeader, Shape, read_header

CURE = "download the model again"
LAYERS_PER_BLOCK = 2
PARTS = ("unet", "transformer", "prior", "text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4", "vae")
SD1, SD2, SDXL, SD3, FLUX = (
    "Stable Diffusion 1",
    "Stable Diffusion 2",
    "Stable Diffusion XL",
    "Stable Diffusion 3",
    "Flux",
)
BY_WIDTH = {768: SD1, 1024: SD2, 2048: SDXL}  # width of the text embeddings that the UNet takes
KIND_OF_TYPE = {
    "STABLE_DIFFUSION_15": SD1,
    "STABLE_DIFFUSION_2": SD2,
    "STABLE_DIFFUSION_XL": SDXL,
    "STABLE_DIFFUSION_3": SD3,
    "FLUX": FLUX,
}


class NotAModel(ValueError):
    """The files are no base model; the message says why, and what to do."""


class Incomplete(NotAModel):
    """Files of the model are missing; a hub could still send them."""


@dataclass
class ModelFiles:
    """Facts of a model's files: `kind` is empty if the files do not show it; `shapes` are by part, then by tensor.

    `unet_weights` are the shapes of a UNet's weights by their names in diffusers, whatever the layout.
    """

    kind: str = ""
    inpainting: bool = False
    prediction: str = ""  # from its scheduler: epsilon or v_prediction; a single file does not have it
    shapes: dict[str, dict[str, Shape]] = field(default_factory=dict)
    unet_config: JsonObject = field(default_factory=dict)
    unet_weights: dict[str, Shape] = field(default_factory=dict)

    def parameters(self, part: str) -> int:
        """The number of a part's weights; 0 if the part is missing."""
        return sum(math.prod(shape) for shape in self.shapes.get(part, {}).values())


def find_model(name: str, cache_dir: str = "") -> Path | None:
    """The folder or file of a base model, also in the hub's cache; None if it is not on this machine."""
    path = Path(name).expanduser()
    if path.exists():
        return path
    if path.is_absolute() or name.count("/") != 1 or name.startswith((".", "~")):
        return None
    folder = hub_cache(cache_dir) / f"models--{name.replace('/', '--')}"
    revision = folder / "refs" / "main"
    if revision.is_file():
        name = revision.read_text().strip()
        snapshot = folder / "snapshots" / name
        return snapshot if name == Path(name).name and snapshot.is_dir() else None
    return next((path for path in sorted(folder.glob("snapshots/*")) if path.is_dir()), None)


def looks_like_hub_name(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith(("/", ".", "~")) and not name.endswith(".safetensors")


def read_model(path: Path) -> ModelFiles:
    """Read configs and headers of a diffusers folder or of one safetensors file. Raises NotAModel."""
    return _read_folder(path) if path.is_dir() else _read_file(path)


def kind_of(model_type: ModelType) -> str:
    """The architecture of a model type, in this module's words; empty if the type is unknown."""
    return next((kind for start, kind in KIND_OF_TYPE.items() if model_type.startswith(start)), "")


def read_shapes(path: Path) -> dict[str, Shape]:
    """The shape of each tensor in a safetensors file; no tensor may be cut off. Raises NotAModel."""
    try:
        header = read_header(path)
    except BadHeader as error:
        raise NotAModel(f"{path} is not a safetensors file, or is damaged ({error}); download it again.") from error
    missing = header.file_size - path.stat().st_size
    if missing > 0:
        raise NotAModel(f"{path} is cut off: {missing} bytes are missing; download it again.")
    if missing < 0:
        raise NotAModel(f"{path} is damaged: it has {-missing} bytes more than its header says; download it again.")
    return header.shapes


def hub_cache(cache_dir: str = "") -> Path:
    """The folder in which all programs of this machine keep models of the hub."""
    if cache_dir:
        return Path(cache_dir).expanduser()
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()


def _read_folder(folder: Path) -> ModelFiles:
    if not (folder / "model_index.json").is_file():
        raise NotAModel(
            f"{folder} is not a diffusers model: it has no model_index.json; choose a folder that has one, "
            "or a .safetensors file."
        )
    index = read_description(folder / "model_index.json")
    found = ModelFiles(kind=_kind_by_class(str(index.get("_class_name", ""))))
    for part in PARTS:
        if part in index and (folder / part).is_dir():
            found.shapes[part] = dict(_part_shapes(folder / part))
    if "unet" in index and (folder / "unet").is_dir():
        found.unet_config = read_description(folder / "unet" / "config.json")
        found.unet_weights = found.shapes.get("unet", {})
        found.kind = _kind_by_width(found.unet_config.get("cross_attention_dim")) or found.kind
        found.inpainting = found.unet_config.get("in_channels") == 9
    if "scheduler" in index and (folder / "scheduler").is_dir():
        found.prediction = str(
            read_description(folder / "scheduler" / "scheduler_config.json").get("prediction_type", "")
        )
    if not found.shapes:
        raise Incomplete(f"{folder} has none of a model's parts; download it again.")
    return found


def _part_shapes(folder: Path) -> Iterator[tuple[str, Shape]]:
    """The shapes of a part's weights; if there are several precisions, the plain file counts."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [file for file in files if ".fp16." not in file.name and ".bf16." not in file.name]
    if not files:
        pickled = any(folder.glob("*.bin"))
        why = "only .bin files, which can contain programs" if pickled else "no weights"
        raise Incomplete(f"{folder} has {why}; download the model with its .safetensors files.")
    for file in plain or files:
        yield from read_shapes(file).items()


def read_description(path: Path) -> JsonObject:
    """A JSON file of a model, such as a part's config. Raises Incomplete if it is missing, else NotAModel."""
    try:
        return read_object(path)
    except BadJson as error:
        kind = NotAModel if path.exists() else Incomplete
        raise kind(f"{path} {error}; {CURE}.") from error


def _kind_by_class(name: str) -> str:
    for start, kind in (("StableDiffusionXL", SDXL), ("StableDiffusion3", SD3), ("Flux", FLUX)):
        if name.startswith(start):
            return kind
    return (
        "" if name.startswith(("StableDiffusion", "")) and "StableDiffusion" in name else name.removesuffix("Pipeline")
    )


def _kind_by_width(width: object) -> str:
    return BY_WIDTH.get(width, "") if isinstance(width, int) else ""


def _read_file(path: Path) -> ModelFiles:
    if path.suffix.lower() != ".safetensors":
        raise NotAModel(f"{path} is not a .safetensors file; choose one, or a diffusers folder.")
    shapes = read_shapes(path)
    found = ModelFiles(kind=_kind_by_keys(shapes))
    for name, shape in shapes.items():
        found.shapes.setdefault(part_of(name), {})[name] = shape
    if any(name.startswith(f"{UNET}input_blocks.") for name in shapes):
        name_of = name_in_diffusers(_layers_per_block(path))
        found.unet_weights = {name_of(name): shape for name, shape in found.shapes.get("unet", {}).items()}
    first = shapes.get("model.diffusion_model.input_blocks.0.0.weight", ())
    found.inpainting = len(first) == 4 and first[1] == 9
    return found


def _layers_per_block(path: Path) -> int:
    """By the config that the file holds, or as in all published models."""
    try:
        layers = json.loads(json.loads(read_header(path).metadata[CONFIGS])["unet/config.json"])["layers_per_block"]
    except (KeyError, TypeError, ValueError):
        return LAYERS_PER_BLOCK
    return layers if isinstance(layers, int) else LAYERS_PER_BLOCK


def _kind_by_keys(shapes: dict[str, Shape]) -> str:
    """The architecture, from the tensors' names and shapes in the original layouts. Raises NotAModel."""
    names = list(shapes)
    if any("lora_" in name or ".lora." in name for name in names):
        raise NotAModel("the file is a LoRA, not a base model; choose the model that it was trained on.")
    if any("joint_blocks." in name for name in names):
        return SD3
    if any("double_blocks." in name for name in names):
        return FLUX
    if any(name.startswith("conditioner.embedders.") for name in names):
        return SDXL
    for name, shape in shapes.items():
        if name.endswith("attn2.to_k.weight") and "diffusion_model" in name:
            return _kind_by_width(shape[1])
    if not any("diffusion_model" in name for name in names):
        raise NotAModel("the file is not a diffusion model; choose a base model, not one of its parts.")
    return ""


def part_of(name: str) -> str:
    """The part to which a tensor of a single file in the original layout belongs."""
    if name.startswith("first_stage_model."):
        return "vae"
    if name.startswith("conditioner.embedders.1."):
        return "text_encoder_2"
    if name.startswith(("cond_stage_model.", "conditioner.", "text_encoders.")):
        return "text_encoder"
    return "unet" if "diffusion_model" in name else "other"
