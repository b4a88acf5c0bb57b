"""The form of a new run: a config's main fields as text, so that nothing typed is ever lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.engines import get_engine
from presets import configs
from presets.exchange import parse

ENGINE = "builtin"
SECTIONS: dict[str, tuple[str, ...]] = {
    "Model": ("model_type", "training_method", "base_model_name"),
    "Data": ("concepts", "resolution", "batch_size"),
    "LoRA": ("lora_rank", "lora_alpha"),
    "Training": (
        *("epochs", "learning_rate", "learning_rate_scheduler", "learning_rate_warmup_steps"),
        *("optimizer.optimizer", "gradient_accumulation_steps", "train_dtype", "ema", "seed"),
        *("unet.train", "text_encoder.train"),
    ),
    "Samples": ("samples", "sample_after", "sample_after_unit"),
    "Backups": ("backup_after", "backup_after_unit", "rolling_backup", "rolling_backup_count"),
    "Saved model": ("output_model_destination", "output_model_format", "output_dtype"),
}
MORE = "more"
LABELS = {
    "concepts": (
        "Folders with pictures",
        "On the server, one a line; a picture's caption lies beside it in a .txt file.",
    ),
    "samples": ("Prompts to draw while training", "One a line."),
    "unet.train": ("Train the UNet", ""),
    "text_encoder.train": ("Train the text encoder", ""),
    MORE: (
        "Any other field",
        'As JSON, with OneTrainer\'s names: {"clip_grad_norm": 1.0, "text_encoder": {"train": false}}',
    ),
}
KINDS = {"concepts": "lines", "samples": "lines", MORE: "json"}


@dataclass
class Field:
    """One input: its text as typed, and what is wrong with it."""

    name: str
    label: str
    help: str = ""
    kind: str = "text"  # text, integer, number, switch, choice, lines, json
    choices: list[str] = field(default_factory=list)
    text: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def html_id(self) -> str:
        return f"field-{self.name.replace('.', '-')}"

    @property
    def options(self) -> list[str]:
        """The choices, and what is set if that is none of them."""
        return self.choices if self.text in self.choices else [self.text, *self.choices]


class ConfigForm:
    """The main fields over a base config; `changes()` is what was made different from it."""

    def __init__(self, base: dict[str, Any], typed: Mapping[str, str] | None = None):
        self.base = configs.full_config(ENGINE, base)
        self.warnings: list[str] = []
        self.fields = {name: _field(name) for names in SECTIONS.values() for name in names}
        self.fields[MORE] = _field(MORE)
        for name, item in self.fields.items():
            item.text = _text(self.base, name) if typed is None else typed.get(name, "")

    @property
    def sections(self) -> list[tuple[str, list[Field]]]:
        return [(title, [self.fields[name] for name in names]) for title, names in SECTIONS.items()]

    @property
    def more(self) -> Field:
        return self.fields[MORE]

    @property
    def error_count(self) -> int:
        return sum(bool(item.errors) for item in self.fields.values())

    def moved_to(self, base: dict[str, Any]) -> ConfigForm:
        """The same form over another base: what was typed stays, all else comes from there."""
        moved = ConfigForm(base)
        for name, item in self.fields.items():
            if item.text != _text(self.base, name):
                moved.fields[name].text = item.text
        return moved

    def changes(self) -> dict[str, Any]:
        """What was typed and differs from the base; fields that cannot be read get errors and are left out."""
        layers = [_at(name, self._value(item)) for name, item in self.fields.items() if self._is_changed(item)]
        return configs.merge(*[layer for layer in layers if isinstance(layer, dict)])

    def _is_changed(self, item: Field) -> bool:
        return item.text.strip() != _text(self.base, item.name).strip()

    def _value(self, item: Field) -> Any:
        try:
            return _READERS[item.kind](self.base, item)
        except ValueError as problem:
            item.errors.append(str(problem))
            return ...

    def blame(self, errors: Mapping[str, list[str]]) -> None:
        """Put each message beside its field; those of fields that are not on the form go to the last one."""
        for path, messages in errors.items():
            first = path.partition(".")[0]
            name = path if path in self.fields else first if first in KINDS else MORE
            label = f"{path}: " if name == MORE and path else ""
            self.fields[name].errors += [f"{label}{message}" for message in messages]


def _field(name: str) -> Field:
    schema = _schema_of(name)
    label, help_text = LABELS.get(name, (schema.get("title", name), schema.get("description", "")))
    choices = schema.get("x-supported") or schema.get("enum") or []
    kind = KINDS.get(name) or ("choice" if choices else _KIND_OF_TYPE.get(schema.get("type", ""), "text"))
    return Field(name, label, help_text, kind, choices)


_KIND_OF_TYPE = {"integer": "integer", "number": "number", "boolean": "switch"}


def _schema_of(name: str) -> dict[str, Any]:
    schema = get_engine(ENGINE).schema()
    for part in name.split("."):
        schema = schema.get("properties", {}).get(part, {})
    return schema


def _text(config: dict[str, Any], name: str) -> str:
    """A config's value as its input shows it."""
    if name == MORE:
        return ""
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if name in ("concepts", "samples"):
        key = "path" if name == "concepts" else "prompt"
        return "\n".join(str(item.get(key, "")) for item in value or [] if isinstance(item, dict))
    if isinstance(value, bool):
        return "on" if value else ""
    return "" if value is None else str(value)


def _at(path: str, value: Any) -> Any:
    """The value below its path; what could not be read stays `...`."""
    if value is ... or path == MORE:
        return value
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def _integer(base: dict[str, Any], item: Field) -> int:
    try:
        return int(item.text)
    except ValueError:
        raise ValueError("Enter a whole number.") from None


def _number(base: dict[str, Any], item: Field) -> float:
    try:
        return float(item.text)
    except ValueError:
        raise ValueError("Enter a number, such as 0.0001 or 1e-4.") from None


def _switch(base: dict[str, Any], item: Field) -> bool:
    return bool(item.text)


def _words(base: dict[str, Any], item: Field) -> str:
    return item.text.strip()


def _lines(base: dict[str, Any], item: Field) -> list[dict[str, Any]]:
    """Each line with the settings that the base has in its place; further lines take those of the last."""
    key = "path" if item.name == "concepts" else "prompt"
    below = base.get(item.name) or []
    found = [line.strip() for line in item.text.splitlines() if line.strip()]
    return [_list_item(below, index, key, line) for index, line in enumerate(found)]


def _list_item(below: list[dict[str, Any]], index: int, key: str, line: str) -> dict[str, Any]:
    kept = below[index] if index < len(below) else (below[-1] if below and key == "prompt" else {})
    if key == "path" and kept.get("path") != line:
        kept = {**kept, "name": line.rstrip("/").rpartition("/")[2]}
    return {**kept, key: line}


def _json(base: dict[str, Any], item: Field) -> Any:
    if not item.text.strip():
        return ...
    try:
        value = parse(item.text)
    except json.JSONDecodeError as error:
        raise ValueError(f"This is not JSON: {error.msg} in line {error.lineno}.") from error
    if not isinstance(value, dict):
        raise ValueError("Write an object: {...}.")
    return value


_READERS = {
    "integer": _integer,
    "number": _number,
    "switch": _switch,
    "choice": _words,
    "text": _words,
    "lines": _lines,
    "json": _json,
}
