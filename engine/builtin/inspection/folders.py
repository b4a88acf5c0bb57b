"""A diffusers folder, judged whole: each part that its `model_index.json` names can be loaded and fits the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.builtin.families.model_files import CURE, Incomplete, NotAModel, read_description, read_shapes
from engine.builtin.inspection.part_configs import look_at_class, look_at_scheduler, look_at_vae
from engine.builtin.inspection.shapes import shapes_by_config
from engine.builtin.inspection.tokenizers import look_at_tokenizer
from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import Shape

NOT_LOADED = ("safety_checker", "feature_extractor", "image_encoder")  # a training does without them
OF_UNET = ("StableDiffusion", "LatentConsistency")  # classes of pipelines with a UNet
OF_CLIP = ("clip_text_model", "clip")
MARKS = {"bos_token_id": 0, "eos_token_id": 2}  # with the numbers that configs of published models have by mistake
NEEDED = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
WEIGHTS = {"diffusion_pytorch_model": True, "model": False}  # true: diffusers takes the shards where both are there


def look_at_folder(folder: Path) -> Iterator[NotAModel]:
    """A problem for each part of the model that is missing, cannot be read or does not fit its config."""
    index = read_description(folder / "model_index.json")
    yield from map(NotAModel, _unnamed(folder, index))
    configs: dict[str, JsonObject] = {}
    for part, entry in sorted(index.items()):
        if not _is_part(part, entry):
            continue
        try:
            configs[part] = _look_at_part(folder / part, str(entry[1]))
        except NotAModel as error:
            yield error
    yield from map(NotAModel, _look_at_fit(folder, configs))


def look_at_tokenizers(folder: Path) -> Iterator[NotAModel]:
    """A problem for each tokenizer that the folder's `model_index.json` names and that cannot be used."""
    if not (folder / "model_index.json").is_file():
        return
    for part, entry in sorted(read_description(folder / "model_index.json").items()):
        if _is_part(part, entry) and "Tokenizer" in entry[1]:
            try:
                _look_at_part(folder / part, entry[1])
            except NotAModel as error:
                yield error


def files_of_weights(folder: Path) -> list[Path]:
    """All weight files that a training loads from the folder. Raises NotAModel."""
    index = read_description(folder / "model_index.json")
    parts = [folder / name for name, entry in index.items() if _is_part(name, entry)]
    return [file for part in parts if (part / "config.json").exists() for file in weights_of(part)]


def weights_of(folder: Path) -> list[Path]:
    """The weight files of a part, as diffusers and transformers choose them: one file, or the shards of an index.

    Raises NotAModel if there are none, or one is missing.
    """
    for stem, shards_first in WEIGHTS.items():
        whole, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
        if index.exists() and (shards_first or not whole.is_file()):
            return _shards(index)
        if whole.is_file():
            return [whole]
    raise Incomplete(_no_weights(folder))


def _unnamed(folder: Path, index: JsonObject) -> Iterator[str]:
    """Parts that every model of this class has, and that the index leaves out or leaves empty."""
    kind = str(index.get("_class_name", ""))
    if not kind.startswith(OF_UNET) or kind.startswith("StableDiffusion3"):
        return
    lacking = [part for part in NEEDED if not _is_part(part, index.get(part))]
    if lacking:
        yield f"the model_index.json of {folder} names no {' and no '.join(lacking)}; {CURE}."


def _is_part(name: str, entry: object) -> bool:
    named = isinstance(entry, list) and len(entry) == 2 and all(isinstance(one, str) for one in entry)
    return named and not name.startswith("_") and name not in NOT_LOADED


def _look_at_part(folder: Path, kind: str) -> JsonObject:
    """The config of a part; raises NotAModel."""
    if not folder.is_dir():
        raise Incomplete(f"{folder.parent} has no folder {folder.name}, which its model_index.json names; {CURE}.")
    if "Tokenizer" in kind or "Processor" in kind:
        return look_at_tokenizer(folder, kind)
    if "Scheduler" in kind:
        return look_at_scheduler(folder, read_description(folder / "scheduler_config.json"))
    config = look_at_class(folder, kind, read_description(folder / "config.json"))
    if kind == "AutoencoderKL":
        look_at_vae(folder, config)
    shapes = {name: shape for file in weights_of(folder) for name, shape in read_shapes(file).items()}
    _compare(folder, shapes, shapes_by_config(kind, config))
    return config


def _compare(folder: Path, shapes: dict[str, Shape], expected: dict[str, Shape]) -> None:
    empty = next((name for name, shape in shapes.items() if 0 in shape), None)
    if empty:
        raise NotAModel(f"the weights in {folder} hold the tensor {empty} without numbers; {CURE}.")
    for name, shape in expected.items():
        has = shapes.get(name, shapes.get(name.removeprefix("text_model.")))
        if has is None:
            raise NotAModel(f"the weights in {folder} lack {name}, which its config.json needs; {CURE}.")
        if has != shape:
            raise NotAModel(
                f"in {folder} the tensor {name} has the shape {_shown(has)}, and by its config.json it must be "
                f"{_shown(shape)}; the two belong to different models: {CURE}."
            )


def _shards(index: Path) -> list[Path]:
    names = read_description(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise NotAModel(f"{index} names no files of weights; {CURE}.")
    files = [index.parent / name for name in sorted(set(names.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise Incomplete(f"{index.parent} lacks {', '.join(missing[:5])}, which {index.name} names; {CURE}.")
    held = {name for file in files for name in read_shapes(file)}
    if lost := sorted(names.keys() - held):
        raise NotAModel(f"the weights in {index.parent} lack {lost[0]}, which {index.name} names; {CURE}.")
    return files


def _no_weights(folder: Path) -> str:
    if any(folder.glob("*.fp16.safetensors")) or any(folder.glob("*.bf16.safetensors")):
        return (
            f"{folder} has weights of the variant fp16 or bf16 alone; rename them without that word, such as "
            "diffusion_pytorch_model.safetensors."
        )
    if any(folder.glob("*.bin")):
        return f"{folder} has only .bin files, which can contain programs; download the model's .safetensors files."
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    if others:
        return f"{folder} has weights under an unusual name ({others[0]}); name them model.safetensors or as published."
    return f"{folder} has no weights; download the model with its .safetensors files."


def _look_at_fit(folder: Path, configs: dict[str, JsonObject]) -> Iterator[str]:
    """Parts of different models in one folder: widths and numbers of channels that differ, and unknown tokens."""
    unet, vae = configs.get("unet", {}), configs.get("vae", {})
    width, encoders = unet.get("cross_attention_dim"), _widths(configs)
    projected = unet.get("encoder_hid_dim")  # then the unet brings the text to its width itself
    if isinstance(width, int) and encoders and not projected and width != sum(encoders):
        yield f"the unet in {folder} takes text of width {width}, and the text encoders give {sum(encoders)}; {CURE}."
    channels, latents = unet.get("in_channels"), vae.get("latent_channels", 4)
    more = (0, 1, 3, latents, latents + 1)  # for depth, a small picture, a picture, a picture and its mask
    if vae and isinstance(channels, int) and channels - latents not in more:
        yield f"the unet in {folder} takes {channels} channels, and the vae gives {latents}; {CURE}."
    if unet and "Flow" in str(configs.get("scheduler", {}).get("_class_name")):
        yield f"the scheduler in {folder} is for flow matching, which its unet has not learned; {CURE}."
    for part, config in configs.items():
        if part.startswith("tokenizer"):
            encoder = configs.get(part.replace("tokenizer", "text_encoder"), {})
            size, most = encoder.get("vocab_size"), config.get("largest_id", -1)
            longest, places = config.get("longest", 0), encoder.get("max_position_embeddings")
            if isinstance(places, int) and places > 0 and longest > places:
                yield f"{part} in {folder} gives {longest} tokens, and its text encoder takes {places}; {CURE}."
            if isinstance(size, int) and most >= size:
                yield f"{part} in {folder} has tokens up to {most}, and its text encoder knows {size}; {CURE}."
            yield from _other_marks(folder, part, config, encoder)


def _other_marks(folder: Path, part: str, tokenizer: JsonObject, encoder: JsonObject) -> Iterator[str]:
    """The first and last token of a caption: the text encoder must know them by the tokenizer's numbers."""
    for name, of_old in MARKS.items() if encoder.get("model_type") in OF_CLIP else ():
        expected, has = encoder.get(name), tokenizer.get(name)
        if has is not None and isinstance(expected, int) and expected not in (has, of_old):
            yield f"{part} in {folder} has the {name} {has}, and its text encoder's config says {expected}; {CURE}."


def _widths(configs: dict[str, JsonObject]) -> list[int]:
    widths = [configs[part].get("hidden_size") for part in ("text_encoder", "text_encoder_2") if part in configs]
    return [width for width in widths if isinstance(width, int)]


def _shown(shape: Shape) -> str:
    return " x ".join(str(side) for side in shape) or "a single number"
