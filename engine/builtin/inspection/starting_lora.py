"""The LoRA file that a training starts from, held against the config and the base model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import ModelFiles, kind_of
from engine.builtin.inspection.adapters import (
    DORA,
    LOCON,
    LOHA,
    LOKR,
    LORA,
    OFT,
    Adapter,
    NotALora,
    layer_of,
    read_adapter,
)
from engine.builtin.inspection.finite import ZERO, look_at_numbers
from engine.builtin.inspection.lora_layers import FIELD, look_at_layers
from engine.interface.errors import Problem

KINDS_OF_TYPE = {"LORA": (LORA, LOCON, DORA), "LOHA": (LOHA,), "LOKR": (LOKR,), "OFT_2": (OFT,)}
PICKLED = (".pt", ".ckpt", ".bin", ".pth")


def look_at_starting_lora(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    """The problems of `lora_model_name`, for the methods that use it."""
    if not config.lora_model_name or config.training_method != "LORA":
        return
    path = Path(config.lora_model_name).expanduser()
    if path.suffix.lower() in PICKLED:
        yield _error(f"{path} is a pickle, which can contain programs; convert it to a .safetensors file")
    elif not path.exists():
        yield _error(f"{path} does not exist; choose a .safetensors file, or leave this empty")
    else:
        try:
            yield from _judge(config, model, path, read_adapter(path))
        except NotALora as error:
            yield _error(str(error))


def _judge(config: TrainConfig, model: ModelFiles | None, path: Path, adapter: Adapter) -> Iterator[Problem]:
    expected = kind_of(config.model_type)
    if adapter.family and expected and adapter.family != expected:
        yield _error(f"{path.name} is {adapter}, and the config trains {expected}; choose a LoRA for {expected}")
    elif adapter.kind not in KINDS_OF_TYPE.get(config.peft_type, ()):
        yield _error(f"{path.name} is {adapter}, and peft_type is {config.peft_type}; {_cure_of_kind(adapter)}")
    elif (adapter.kind == DORA) != config.lora_decompose and config.peft_type == "LORA":
        state = "off" if adapter.kind == DORA else "on"
        yield _error(f"{path.name} is {adapter}, and lora_decompose is {state}; choose a file of the other kind")
    elif adapter.halves:
        layers = "a layer" if len(adapter.halves) == 1 else f"{len(adapter.halves)} layers"
        text = f"{path.name} has only one of the two matrices of {layers}"
        yield _error(f"{text}, such as {adapter.halves[0]}; copy or train it again")
    else:
        yield from _judge_sizes(config, path, adapter)
        yield from look_at_layers(config, model, path, adapter)
    yield from _judge_numbers(path, adapter)


def _cure_of_kind(adapter: Adapter) -> str:
    by_kind = {kind: name for name, kinds in KINDS_OF_TYPE.items() for kind in kinds}
    known = by_kind.get(adapter.kind)
    return f"set peft_type to {known}, or choose another file" if known else "choose a LoRA"


def _judge_sizes(config: TrainConfig, path: Path, adapter: Adapter) -> Iterator[Problem]:
    if config.peft_type not in ("LORA", "LOHA"):
        return
    if len(adapter.ranks) > 1:
        ranks = f"{adapter.ranks[0]} to {adapter.ranks[-1]}"
        yield _error(f"the layers of {path.name} have different ranks, {ranks}; choose a file with one rank")
    elif adapter.ranks and adapter.ranks[0] != config.lora_rank:
        text = f"{path.name} has rank {adapter.ranks[0]}, and lora_rank is {config.lora_rank}; set the same rank"
        yield Problem("lora_rank", text)
    if adapter.alphas and adapter.alphas != [config.lora_alpha]:
        alphas = ", ".join(f"{alpha:g}" for alpha in adapter.alphas[:3])
        text = f"{path.name} has alpha {alphas}, and lora_alpha is {config.lora_alpha:g}"
        yield Problem("lora_alpha", f"{text}; what it has learned keeps its strength", "warning")


def _judge_numbers(path: Path, adapter: Adapter) -> Iterator[Problem]:
    """NaN, layers without strength, and layers from which no gradient comes."""
    found = look_at_numbers([path])
    if found.not_finite:
        yield _error(
            f"{path.name} has NaN or infinity in {found.not_finite[1]}; choose an earlier save of that training"
        )
        return
    if 0 in adapter.alphas:
        yield _error(f"{path.name} has alpha 0, so what it learned has no effect; choose another file")
    matrices = found.matrices.get(path, {})
    zero = {layer_of(name) for name, content in matrices.items() if content == ZERO}
    others = {layer_of(name) for name, content in matrices.items() if content != ZERO}
    if dead := sorted(zero - others):
        text = f"{len(dead)} of the {len(adapter.layers)} layers of {path.name} hold only zeros and could not learn"
        yield _error(f"{text}, such as {dead[0]}; choose another file")


def _error(sentence: str) -> Problem:
    return Problem(FIELD, sentence)
