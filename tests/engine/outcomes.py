"""The outcome of a training of the tiny model, for comparisons, and other values for the fields of a schema."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import safe_open

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.trainer import GenericTrainer
from engine.interface.commands import TrainCommands
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.schema import leaf
from tests.engine.tiny import Recorder, config_for, make_model, make_pictures, sample

DATE = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d")


class Tiny:
    """The tiny model with its pictures, made once, and the trainings of configs that differ in a few values.

    FOLDER in a value stands for the folder that holds the models, pictures and captions.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = make_model(folder / "model", levels=1)
        self.pictures = _pictures(folder / "pictures")
        make_model(folder / "other model", "v_prediction", levels=1)
        for name in ("captions", "other captions"):
            (folder / f"{name}.txt").write_text(f"a yellow star of the {name}\n")
        self.count = 0
        self._known: dict[str, Outcome] = {}

    def config(self, **changes: Any) -> JsonObject:
        """A whole config whose training takes four steps."""
        self.count += 1
        values = config_for(self.model, self.pictures, self.folder / f"run-{self.count}")
        values |= {"batch_size": 1, "epochs": 1, "output_model_format": "SAFETENSORS"}
        values["samples"] = [sample("a red circle", negative_prompt="blue", diffusion_steps=3)]
        whole = TrainConfig.from_dict(values).to_dict()
        for path, value in changes.items():
            put(whole, path, value.replace("FOLDER", str(self.folder)) if isinstance(value, str) else value)
        return whole

    def outcome(self, **changes: Any) -> Outcome:
        """The outcome of the config with these changes, by dotted path; the same changes are trained once."""
        key = repr(sorted(changes.items()))
        if key not in self._known:
            self._known[key] = train(self.config(**changes))
        return self._known[key]


def _pictures(folder: Path) -> Path:
    """Two pictures of each of two shapes, which must be cropped, with tags and masks; and one in a subfolder."""
    make_pictures(folder / "more", 1, (36, 36))
    for number, size in enumerate([(90, 40), (80, 40), (42, 40), (40, 42)]):
        gradient = Image.linear_gradient("L").rotate(number * 50).resize(size).convert("RGB")
        Image.blend(gradient, Image.new("RGB", size, (200, 40, 90)), 0.5).save(folder / f"{number}.png")
        Image.new("L", size, 255 * (number % 2)).save(folder / f"{number}-masklabel.png")
        (folder / f"{number}.txt").write_text("A red, big circle, on the left\na blue, small square, above")
    return folder


class Outcome(dict[str, Any]):
    """Losses, rates, weights, files and pictures of a training."""


def train(config: JsonObject, steps: int = 0) -> Outcome:
    """Train the config to its end, or for some steps. Raises what the trainer raises."""
    recorder, commands = Recorder(), TrainCommands()
    if steps:
        recorder.reactions["on_update_train_progress"] = lambda progress, *_: (
            commands.stop() if progress.global_step == steps else None
        )
    trainer = GenericTrainer(TrainConfig.from_dict(config), recorder.callbacks, commands)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.start()
        before = [weight.detach().clone() for weight in trainer.session.parameters]
        trainer.train()
        trainer.end()
    moved = any(not torch.equal(old, new) for old, new in zip(before, trainer.session.parameters, strict=True))
    root = Path(config["workspace_dir"]).parent
    return Outcome(
        metrics=[
            (
                step,
                {name: value for name, value in values.items() if name != "steps_per_second" and "memory" not in name},
            )
            for step, values in recorder.of("on_metrics")
        ],
        warnings=recorder.of("on_warning"),
        weights=_digest(trainer.session.parameters),
        files=sorted(set(_files(root))),
        moved=moved,
    )


def _digest(tensors: list[Any]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Each file's name without its date, and a digest of models and pictures; of a cache only its folder."""
    for path in root.rglob("*"):
        if path.is_file():
            known = path if path.suffix != ".safetensors" or _is_named(path) else path.parent
            yield DATE.sub("date", str(known.relative_to(root))), _content(path)


def _is_named(path: Path) -> bool:
    """False for an entry of a cache, whose name is a digest."""
    return not re.fullmatch("[0-9a-f]{20,}", path.stem)


def _content(path: Path) -> str:
    if path.suffix in (".png", ".jpg"):
        return hashlib.sha256(Image.open(path).convert("RGB").tobytes()).hexdigest()
    if path.suffix == ".safetensors" and _is_named(path):
        with safe_open(path, "pt") as file:
            return _digest([file.get_tensor(name) for name in sorted(file.keys())])
    return ""


def put(config: JsonObject, path: str, value: Any) -> None:
    """Set the value at a dotted path; numbers are places in lists."""
    *above, name = path.split(".")
    owner: Any = config
    for part in above:
        owner = owner[int(part)] if part.isdecimal() else owner[part]
    owner[name] = value


def told(config: JsonObject, path: str) -> list[Problem]:
    """The errors of the field at the path or around it, and its warnings that it has no effect."""
    return [one for one in check(config) if _is_about(one, path) and (one.is_error or "has no effect" in one.message)]


def _is_about(problem: Problem, path: str) -> bool:
    return f"{path}.".startswith(f"{problem.field}.")


def others(schema: JsonObject, path: str, present: Any) -> list[Any]:
    """Other values for a field: all other choices, or one other number, text or answer."""
    described = leaf(schema, path) or {}
    types = described.get("type", [])
    kinds = set([types] if isinstance(types, str) else types)
    if "enum" in described:
        known = described.get("x-supported", described["enum"])
        return [choice for choice in known if choice not in (present, None)] or [
            choice for choice in described["enum"] if choice not in (present, None)
        ][:1]
    if "boolean" in kinds:
        return [not present]
    if kinds & {"integer", "number"} or "anyOf" in described:
        return [_other_number(described, "integer" in kinds, present)]
    return [{"array": [], "object": {"new": 1}}.get(next(iter(kinds - {"null"}), ""), "another")]


def _other_number(described: JsonObject, whole: bool, present: float | None) -> float:
    inside = described | next(iter(described.get("anyOf", [])), {})
    low, high = (inside.get(name) for name in ("minimum", "maximum"))
    high = inside.get("exclusiveMaximum", high)
    if whole:
        return (present or 0) + 1 if high is None or (present or 0) + 1 <= high else high - 1
    other = 0.5 * (present or min(2.0, high if high is not None else 2.0))
    return other if low is None or other >= low else low * 1.5
