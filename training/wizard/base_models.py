"""Base models: those on this machine, the family of each, and the engine that can train it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.families.model_files import hub_cache
from engine.engines import ENGINES
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import read_header
from engine.paths.names import is_hub_name
from engine.paths.policy import Purpose
from presets.base_models.on_disk import SHELVES, snapshot_of
from presets.config.named_paths import looks_like_path
from training.wizard.families import FAMILIES, Family, tiny_family
from web.errors import BadInput
from web.paths.site import judge, open_folders, refusal

MOST_LOOKED_AT = 300  # entries in one folder
TINY_PIXELS = 128
QUANTIZES = "onetrainer"  # the engine that keeps weights in 8 and 4 bits
PIPELINES = {
    "StableDiffusionXLPipeline": "sdxl",
    "FluxPipeline": "flux",
    "ChromaPipeline": "chroma",
    "ZImagePipeline": "z-image",
    "QwenImagePipeline": "qwen",
}
# A part of a tensor's name that identifies the family of a single file; the most specific first.
TENSORS = (
    ("lora_", ""),
    ("conditioner.embedders.1.", "sdxl"),
    ("cond_stage_model.model.", "sd21"),
    ("cond_stage_model.transformer.", "sd15"),
    ("double_blocks.0.img_attn.", "flux"),
)


# Words in the name of a model of the hub that tell its family; the most specific first.
WORDS = (
    *(("sdxl", "sdxl"), ("xl", "sdxl"), ("pony", "sdxl"), ("illustrious", "sdxl"), ("noobai", "sdxl")),
    *(("flux", "flux"), ("chroma", "chroma"), ("z-image", "z-image"), ("qwen", "qwen")),
    *(("2-1-base", "sd21-base"), ("2-base", "sd21-base"), ("2-1", "sd21"), ("v2", "sd21")),
    *(("v1-5", "sd15"), ("1.5", "sd15"), ("sd15", "sd15"), ("1-5", "sd15"), ("v1-4", "sd15"), ("diffusion", "sd15")),
)


@dataclass(frozen=True)
class BaseModel:
    """A base model that can be chosen; a config names it by `name`."""

    name: str
    title: str
    family: Family
    engine: str
    is_here: bool = True
    is_guessed: bool = False  # the family, from the name alone


def offered_models() -> list[BaseModel]:
    """Models on this machine, known models of the hub, then the demo's; only those that an engine here can train."""
    here = {found.name: found for found in _on_this_machine()}
    demo = _model(str(settings.DEMO_DIR / "model"), "The demo's tiny model")
    known = [
        BaseModel(family.hub, family.title, *trained, is_here=False)
        for family in FAMILIES.values()
        if family.hub not in here and (trained := _with_its_engine(family))
    ]
    own = sorted(here.values(), key=lambda model: (model.title.lower(), model.name))
    return [*own, *known, *([demo] if demo else [])]


def chosen_model(name: str) -> BaseModel:
    """The model with this name, listed or not. Raises BadInput with a sentence that says how to fix it."""
    if not name:
        raise _bad(_("Choose a base model."))
    if not looks_like_path(name):
        return _from_hub(name)
    if sentence := refusal(name, Purpose.LOAD_MODEL):
        raise _bad(sentence)
    path = Path(judge(name, Purpose.LOAD_MODEL).real)
    if not path.exists():
        raise _bad(_("%(value)s does not exist: check its spelling.") % {"value": name[:200]})
    family = identify(path)
    if family is None:
        raise _bad(
            _("%(value)s is not a supported base model: choose a diffusers folder or a .safetensors file.")
            % {"value": name[:200]}
        )
    return _with_engine(str(path), path.stem, family)


def _from_hub(name: str) -> BaseModel:
    for family in FAMILIES.values():
        if family.hub == name:
            return _with_engine(name, family.title, family)
    found = next((model for model in _in_hub_cache() if model.name == name), None)
    if found is not None:
        return found
    if not is_hub_name(name):
        raise _bad(_("%(value)s is neither a path nor a name such as owner/model.") % {"value": name[:200]})
    return replace(_with_engine(name, name, _guessed(name)), is_here=False, is_guessed=True)


def _guessed(name: str) -> Family:
    """The family of a model of the hub that is not here yet: by words in its name, else the smallest.

    The check of the config compares it with the files once they are fetched.
    """
    return FAMILIES[next((key for word, key in WORDS if word in name.lower()), "sd15")]


def _with_engine(name: str, title: str, family: Family) -> BaseModel:
    trained = _with_its_engine(family)
    if trained is None:
        raise _bad(
            _("%(family)s cannot be trained by the engines of this site: choose another base model.")
            % {"family": family.title}
        )
    return BaseModel(name, title, *trained)


def _with_its_engine(family: Family) -> tuple[Family, str] | None:
    """The family as its engine trains it; an engine that can quantize a large model comes first."""
    names = list(engines_for(family.model_type))
    if family.quantized and QUANTIZES in names:
        return family, QUANTIZES
    return (replace(family, quantized=False), names[0]) if names else None


def engine_for(model_type: str) -> str | None:
    """The first engine that can be used here and trains this type of model."""
    return next(engines_for(model_type), None)


def engines_for(model_type: str) -> Iterator[str]:
    """The names of all engines that can be used here and train this type of model."""
    for name, engine in ENGINES.items():
        if engine.why_unavailable():
            continue
        types = engine.schema()["properties"]["model_type"]
        if model_type in (types.get("x-supported") or types.get("enum") or ()):
            yield name


def _bad(sentence: str) -> BadInput:
    return BadInput(sentence, {"model": [sentence]})


# -- on this machine -----------------------------------------------------------------------------------------------


def _on_this_machine() -> Iterator[BaseModel]:
    folders = [settings.DATA_DIR / "models", *(root / shelf for root in open_folders() for shelf in SHELVES)]
    if settings.ONETRAINER_HOME:
        folders.append(settings.ONETRAINER_HOME / "models")
    for folder in folders:
        for path in _entries(folder):
            if not refusal(str(path), Purpose.LOAD_MODEL) and (found := _model(str(path), path.stem)):
                yield found
    yield from _in_hub_cache()


def _in_hub_cache() -> Iterator[BaseModel]:
    for path in _entries(hub_cache()):
        kind, _dashes, name = path.name.partition("--")
        newest = snapshot_of(path)
        if kind == "models" and newest and (found := _model(str(newest), name.replace("--", "/", 1))):
            yield BaseModel(found.title, found.title, found.family, found.engine)


def _model(path: str, title: str) -> BaseModel | None:
    family = identify(Path(path))
    trained = _with_its_engine(family) if family else None
    return BaseModel(path, title, *trained) if trained else None


def _entries(folder: Path) -> list[Path]:
    """The folder's entries; empty if it does not exist or cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry, _ in zip(entries, range(MOST_LOOKED_AT), strict=False))
    except OSError:
        return []


# -- the family of a model ------------------------------------------------------------------------------------------


def identify(path: Path) -> Family | None:
    """The model family of a diffusers folder or a .safetensors file; None if it is unknown."""
    try:
        if path.is_dir():
            return _of_folder(path)
        return _of_file(path) if path.suffix == ".safetensors" else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # the path holds no model


def _of_folder(path: Path) -> Family | None:
    pipeline = _json(path / "model_index.json")["_class_name"]
    if pipeline != "StableDiffusionPipeline":
        return FAMILIES.get(PIPELINES.get(pipeline, ""))
    unet, vae = _json(path / "unet" / "config.json"), _json(path / "vae" / "config.json")
    scale = 2 ** (len(vae["block_out_channels"]) - 1)
    pixels = unet["sample_size"] * scale
    if pixels <= TINY_PIXELS:
        return tiny_family(pixels, scale * 2 ** (len(unet["block_out_channels"]) - 1))
    if unet["cross_attention_dim"] == 768:
        return FAMILIES["sd15"]
    return FAMILIES["sd21" if pixels > 512 else "sd21-base"]


def _of_file(path: Path) -> Family | None:
    """The family by the names of the file's tensors, which are in its header."""
    names = read_header(path).shapes
    found = (key for part, key in TENSORS if any(part in name for name in names))
    return FAMILIES.get(next(found, ""))


def _json(path: Path) -> JsonObject:
    return json.loads(path.read_text(encoding="utf-8"))
