"""The embedding files that a training starts from: their tokens, and the width of the text encoder that they fit.

Layouts: one tensor `emb_params` of Stable Diffusion 1 and 2; `clip_l` and `clip_g` of Stable Diffusion XL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.builtin.config.parts import TrainEmbeddingConfig
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import SD1, SD2, SDXL, ModelFiles, kind_of
from engine.builtin.inspection.finite import first_not_finite
from engine.interface.errors import Problem
from engine.interface.safetensors_header import BadHeader, Shape, read_header

ENCODERS = {"emb_params": "text_encoder", "clip_l": "text_encoder", "clip_g": "text_encoder_2"}
WIDTHS = {SD1: {"emb_params": 768}, SD2: {"emb_params": 1024}, SDXL: {"clip_l": 768, "clip_g": 1280}}


def look_at_starting_embeddings(config: TrainConfig, model: ModelFiles | None) -> Iterator[Problem]:
    """The problems of all embedding files that the config names."""
    widths = _widths(config, model)
    if config.training_method == "EMBEDDING":
        yield from _look(widths, "embedding", config.embedding)
    for number, embedding in enumerate(config.additional_embeddings):
        yield from _look(widths, f"additional_embeddings.{number}", embedding)


def _widths(config: TrainConfig, model: ModelFiles | None) -> dict[str, int]:
    """The width of each text encoder, by its tensor's name in an embedding: the base model's own, or as published."""
    widths = dict(WIDTHS.get(kind_of(config.model_type), {}))
    for key, part in ENCODERS.items():
        for name, shape in (model.shapes.get(part, {}) if model else {}).items():
            if key in widths and name.endswith("embeddings.token_embedding.weight"):
                widths[key] = shape[1]
    return widths


def _look(widths: dict[str, int], field: str, embedding: TrainEmbeddingConfig) -> Iterator[Problem]:
    path = Path(embedding.model_name).expanduser()
    if not embedding.model_name or path.suffix.lower() != ".safetensors":
        return
    name = f"{field}.model_name"
    try:
        header = read_header(path)
    except BadHeader as error:
        yield Problem(name, f"{path} is not a safetensors file, or is damaged ({error}); choose another file")
        return
    except OSError as error:
        yield Problem(name, f"{path} cannot be read ({error.strerror}); check the path")
        return
    vectors: dict[str, Shape] = {
        key: shape for key, shape in header.shapes.items() if len(shape) == 2 and not key.endswith("_out")
    }
    if header.file_size != path.stat().st_size:
        yield Problem(name, f"{path} is damaged: its size is not what its header says; copy or train it again")
    elif not vectors:
        yield Problem(name, f"{path} holds no embedding, which has the form tokens x width; choose another file")
    else:
        yield from _judge(widths, field, embedding, path, vectors)


def _judge(
    widths: dict[str, int], field: str, embedding: TrainEmbeddingConfig, path: Path, vectors: dict[str, Shape]
) -> Iterator[Problem]:
    for key, width in widths.items():
        if key not in vectors:
            text = f"{path.name} has no {key}, only {', '.join(sorted(vectors)[:3])}, so it is for another model type"
            yield Problem(f"{field}.model_name", f"{text}; choose an embedding for this one")
        elif vectors[key][1] != width:
            text = f"{path.name} has vectors of width {vectors[key][1]}, and the model's text encoder has {width}"
            yield Problem(f"{field}.model_name", f"{text}; choose an embedding for this model type")
    tokens = {shape[0] for shape in vectors.values()}
    if embedding.token_count is not None and tokens != {embedding.token_count}:
        text = f"{path.name} has {min(tokens)} tokens, and token_count is {embedding.token_count}"
        yield Problem(f"{field}.token_count", f"{text}; the file's number counts", "warning")
    if found := first_not_finite([path]):
        yield Problem(f"{field}.model_name", f"{path.name} has NaN or infinity in {found[1]}; choose an earlier save")
