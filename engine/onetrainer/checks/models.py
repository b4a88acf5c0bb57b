"""The models that a config names, as OneTrainer will load them: base model, parts, LoRA and embeddings. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.families.model_files import NotAModel, find_model, looks_like_hub_name, read_shapes
from engine.builtin.inspection.folders import weights_of
from engine.interface import pickles
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import Shape
from engine.onetrainer.checks.reading import object_in, text_in

BASE, LORA, EMBEDDING = "base_model_name", "lora_model_name", "embedding"
PART_ALONE = (  # parts that are not in the base model's folder, but in the model that their own setting names
    *("effnet_encoder", "decoder", "decoder_text_encoder", "decoder_vqgan"),
    "text_encoder_4",
)
LIBRARIES = "OneTrainer loads"


@dataclass
class FoundModel:
    """What of the model is on this machine: `shapes` by part, then by tensor; `file` is a base in a single file."""

    shapes: dict[str, dict[str, Shape]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    file: Path | None = None


def look_at_models(config: JsonObject, parts: list[str], named: list[str]) -> tuple[FoundModel, list[Problem]]:
    """The model's files, and the problems of each name.

    `parts` are those of the model type, first the denoising one; `named` are the parts whose `model_name` is used.
    """
    found = FoundModel()
    config = {**config, **{part: {**object_in(config, part), "model_name": ""} for part in parts if part not in named}}
    problems = [
        problem for setting, name in names_of(config, parts) for problem in _look_at_name(setting, name, config)
    ]
    wrong = {problem.field for problem in problems if problem.is_error}
    if BASE not in wrong:
        problems += _read_base(found, config, parts)
    for part in parts:
        setting = f"{part}.model_name"
        if (name := _name_of(config, part)) and setting not in wrong:
            problems += _read_part_alone(found, part, setting, name, config)
    return found, problems


def names_of(config: JsonObject, parts: list[str]) -> Iterator[tuple[str, str]]:
    """(setting, name) of each model that will be loaded."""
    yield BASE, text_in(config, BASE)
    for part in parts:
        if name := _name_of(config, part):
            yield f"{part}.model_name", name
    if config.get("training_method") == "LORA" and (name := text_in(config, LORA)):
        yield LORA, name
    if config.get("training_method") == "EMBEDDING" and (name := text_in(object_in(config, EMBEDDING), "model_name")):
        yield f"{EMBEDDING}.model_name", name
    for index, one in enumerate(config.get("additional_embeddings") or []):
        if isinstance(one, dict) and (name := text_in(one, "model_name")):
            yield f"additional_embeddings.{index}.model_name", name


def _look_at_name(setting: str, name: str, config: JsonObject) -> Iterator[Problem]:
    """What its name shows: a pickle, a path without a file, or a name of the hub."""
    cache = text_in(config, "huggingface_cache_dir")
    if why := pickles.refusal(name):
        yield Problem(setting, why)
    elif not name:
        yield Problem(setting, "is empty; choose a folder, a .safetensors file, or a name on the hub")
    elif "://" in name or find_model(name, cache) is not None:
        return
    elif setting == LORA or "embedding" in setting:
        yield Problem(
            setting, f"{name!r} does not exist; choose a file on this machine, since OneTrainer downloads none"
        )
    elif not looks_like_hub_name(name):
        yield Problem(setting, f"{name!r} does not exist; choose an existing folder or file")
    elif config.get("offline_mode") is True or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true"):
        cure = "turn off offline_mode, or choose a folder or file"
        yield Problem(setting, f"{name!r} is not in the hub's cache on this machine; {cure}")
    else:
        text = f"{name!r} is not on this machine; the run waits until it is fetched, which can take a while"
        yield Problem(setting, text, "warning")


def _read_base(found: FoundModel, config: JsonObject, parts: list[str]) -> Iterator[Problem]:
    """A folder needs the parts that OneTrainer takes from it, with or without a `model_index.json`."""
    path = find_model(text_in(config, BASE), text_in(config, "huggingface_cache_dir"))
    if path is None:
        return
    if not path.is_dir() and not path.is_file():
        yield Problem(BASE, f"{path} is neither a file nor a folder; choose a base model")
        return
    if path.is_file():
        yield from _read_file(found, path)
        return
    own = [part for part in parts if _is_in_base(config, part)]
    if parts and own and not any((path / part).is_dir() for part in own):
        what = f"{path} has none of the folders that {LIBRARIES} of this model type ({', '.join(own)})"
        yield Problem(BASE, f"{what}; choose a folder in the diffusers layout, or a .safetensors file")
        return
    lacking = [f"{part}/config.json" for part in own if not (path / part / "config.json").is_file()]
    if lacking:
        yield Problem(BASE, f"{path} has no {' and no '.join(lacking)}, which {LIBRARIES}; download the model again")
        return
    for part in own:
        yield from _read_folder(found, part, path / part, BASE)


def _is_in_base(config: JsonObject, part: str) -> bool:
    settings = object_in(config, part)
    return part not in PART_ALONE and settings.get("include") is not False and not _name_of(config, part)


def _read_part_alone(found: FoundModel, part: str, setting: str, name: str, config: JsonObject) -> Iterator[Problem]:
    path = find_model(name, text_in(config, "huggingface_cache_dir"))
    if path is None:
        return
    if path.is_dir():
        inner = path / part if (path / part).is_dir() else path
        yield from _read_folder(found, part, inner, setting) if (inner / "config.json").is_file() else ()
    elif part == "vae":
        yield Problem(
            setting, f"{path} is a file, and {LIBRARIES} a VAE from a folder alone; choose its diffusers folder"
        )
    elif path.suffix.lower() == ".safetensors":
        yield from _read_shapes(found, part, [path], setting)


def _read_folder(found: FoundModel, part: str, folder: Path, setting: str) -> Iterator[Problem]:
    try:
        files = weights_of(folder)
    except NotAModel as error:
        pickled = next(iter(sorted(folder.glob("*.bin"))), None)
        if pickled is None:
            yield Problem(setting, str(error))
        elif why := pickles.refusal(str(pickled)):
            yield Problem(setting, why)
        return
    yield from _read_shapes(found, part, files, setting)


def _read_shapes(found: FoundModel, part: str, files: list[Path], setting: str) -> Iterator[Problem]:
    try:
        found.shapes[part] = {name: shape for file in files for name, shape in read_shapes(file).items()}
        found.files += files
    except NotAModel as error:
        yield Problem(setting, str(error))


def _read_file(found: FoundModel, path: Path) -> Iterator[Problem]:
    if path.suffix.lower() != ".safetensors":
        return
    found.file = path
    try:
        read_shapes(path)
        found.files.append(path)
    except NotAModel as error:
        yield Problem(BASE, str(error))


def _name_of(config: JsonObject, part: str) -> str:
    return text_in(object_in(config, part), "model_name")
