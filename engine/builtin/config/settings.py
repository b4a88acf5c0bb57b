"""The base of all config dataclasses: fields with a range, and reading and writing OneTrainer's JSON.

The fields' titles and descriptions are in `engine/fields.toml`.
"""

from __future__ import annotations

import difflib
import functools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject

VERSION_KEY = "__version"
LARGEST_SEED = 2**63 - 1  # that torch takes as a seed and JSON's readers as a whole number
TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "an object"}


def setting(
    default: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    infinite: bool = False,
) -> Any:
    """A dataclass field with its range; a callable default makes a fresh value each time."""
    metadata = {"minimum": minimum, "maximum": maximum, "exclusiveMinimum": above, "exclusiveMaximum": below}
    metadata["infinite"] = infinite
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(kw_only=True)
class Settings:
    """A group of settings that reads from and writes to the JSON that OneTrainer uses."""

    json_version: ClassVar[int] = 0

    unknown: JsonObject = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, values: JsonObject) -> Self:
        """Read settings; missing settings keep their defaults, unknown keys are kept in `unknown`.

        Raises BadConfig with one problem for each field whose value has the wrong type.
        """
        problems: list[Problem] = []
        settings = cls._read(values, "", problems)
        if settings is None or problems:
            raise BadConfig(problems)
        return settings

    @classmethod
    def _read(cls, values: Any, path: str, problems: list[Problem]) -> Self | None:
        if not isinstance(values, dict):
            return _refuse(dict, values, path, problems)
        settings = cls()
        hints = cls.hints()
        prefix = f"{path}." if path else ""
        for key, value in values.items():
            if key in hints:
                known = len(problems)
                converted = _convert(hints[key], value, f"{prefix}{key}", problems)
                if len(problems) == known:
                    setattr(settings, key, converted)
            elif key != VERSION_KEY:
                settings.unknown[key] = value
        settings.fill(frozenset(values))
        return settings

    def fill(self, given: frozenset[str]) -> None:
        """Fill in missing settings; `given` names the keys that were read."""

    def to_dict(self) -> JsonObject:
        """Every setting as JSON values, nested as OneTrainer nests them; infinity is the text "inf"."""
        values = {name: to_json(getattr(self, name)) for name in self.hints()}
        return {VERSION_KEY: self.json_version, **values, **self.unknown}

    def walk_unknown(self, path: str = "") -> Iterator[str]:
        """The dotted paths of the unknown keys."""
        yield from (path + key for key in self.unknown)
        for name in self.hints():
            for key, settings in _nested(getattr(self, name)):
                yield from settings.walk_unknown(f"{path}{name}{key}.")

    @classmethod
    @functools.cache
    def hints(cls) -> dict[str, Any]:
        """The type of each setting, by name."""
        resolved = typing.get_type_hints(cls)
        return {f.name: resolved[f.name] for f in fields(cls) if f.name != "unknown"}

    @classmethod
    def metadata_of(cls, name: str) -> Mapping[str, Any]:
        """The range of one setting."""
        return cls.__dataclass_fields__[name].metadata

    @classmethod
    def default_of(cls, name: str) -> Any:
        """The default of one setting."""
        declared = cls.__dataclass_fields__[name]
        return declared.default if declared.default_factory is MISSING else declared.default_factory()

    def own_default(self, name: str) -> Any:
        """The default of one setting, given the others."""
        return self.default_of(name)


def _nested(value: object) -> Iterator[tuple[str, Settings]]:
    """The groups of settings in a value, each with the end of its path: "" or ".0" or ".name"."""
    if isinstance(value, Settings):
        yield "", value
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    yield from ((f".{key}", item) for key, item in items if isinstance(item, Settings))


def inner_types(hint: Any) -> tuple[Any, bool]:
    """The type inside an optional type, and whether None is allowed."""
    if isinstance(hint, types.UnionType):
        return next(part for part in hint.__args__ if part is not types.NoneType), True
    return hint, False


def _convert(hint: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    """The value converted to its type; if that is impossible, a problem is added."""
    kind, nullable = inner_types(hint)
    if value is None and nullable:
        return None
    origin = typing.get_origin(kind)
    if origin is list:
        return _convert_list(kind, value, path, problems)
    if origin is dict:
        return _convert_dict(kind, value, path, problems)
    if isinstance(kind, type) and issubclass(kind, Settings):
        return kind._read(value, path, problems)
    if issubclass(kind, StrEnum):
        return _convert_choice(kind, value, path, problems)
    return _convert_plain(kind, value, path, problems)


def _convert_list(kind: Any, value: Any, path: str, problems: list[Problem]) -> list[Any] | None:
    if not isinstance(value, list):
        problems.append(Problem(path, f"must be a list, not {_shown(value)}"))
        return None
    (item,) = typing.get_args(kind)
    return [_convert(item, entry, f"{path}.{index}", problems) for index, entry in enumerate(value)]


def _convert_dict(kind: Any, value: Any, path: str, problems: list[Problem]) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return _refuse(dict, value, path, problems)
    item = typing.get_args(kind)[1]
    if item is Any:
        return dict(value)
    return {key: _convert(item, entry, f"{path}.{key}", problems) for key, entry in value.items()}


def _convert_choice(kind: type[StrEnum], value: Any, path: str, problems: list[Problem]) -> StrEnum | None:
    if isinstance(value, str) and value in kind.__members__.values():
        return kind(value)
    close = difflib.get_close_matches(str(value).upper(), list(kind), n=3) if len(kind) > 12 else []
    problems.append(Problem(path, f"{_shown(value)} is not one of its choices; choose {' or '.join(close or kind)}"))
    return None


def _convert_plain(kind: type, value: Any, path: str, problems: list[Problem]) -> Any:
    """A bool, int, float or str. Whole floats pass as int, and the text "inf" as a number, as OneTrainer writes it."""
    if kind is float and isinstance(value, str) and value.lower() in ("inf", "-inf"):
        return float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not kind or (isinstance(value, float) and math.isnan(value)):
        return _refuse(kind, value, path, problems)
    return value


def _refuse(kind: type, value: Any, path: str, problems: list[Problem]) -> Any:
    """Add the problem, and return None in place of a value."""
    problems.append(Problem(path, f"must be {TYPE_NAMES[kind]}, not {_shown(value)}"))
    return None


def _shown(value: object) -> str:
    """The value as a short piece of a sentence."""
    words = {None: "empty", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def to_json(value: Any) -> Any:
    """A setting's value as JSON."""
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
