"""The text of a config file in any form: JSON, TOML or YAML, in UTF-8 or UTF-16, with or without a byte-order mark."""

from __future__ import annotations

import codecs
import math
import tomllib
from typing import Any

import yaml

from engine.interface.json_files import BadValue
from web.strict_json import parse, refuse_unstorable

MOST_YAML, MOST_ALIASES, MOST_DEPTH = 200_000, 20, 20
MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(content: bytes | str, name: str = "") -> Any:
    """The data in a config file; `name` is the file's name, whose ending tells the form.

    Without a known ending it is JSON if it begins as JSON does, else TOML or YAML. Raises ValueError with the reason.
    """
    try:
        return _read(content, name)
    except ValueError as error:
        if "string conversion" not in str(error):  # Python's own limit for whole numbers
            raise
        raise BadValue("a number has more digits than can be read") from error


def _read(content: bytes | str, name: str) -> Any:
    text = decoded(content) if isinstance(content, bytes) else content.removeprefix("\ufeff")
    ending = name.rpartition(".")[2].lower()
    if ending == "toml":
        return _toml(text)
    if ending in ("yaml", "yml"):
        return _yaml(text)
    if ending == "json" or (text.lstrip()[:1] in ("{", "[", '"') and not _is_toml_table(text)):
        return _json(text)
    try:
        return _toml(text)
    except ValueError:
        return _yaml(text)


def decoded(content: bytes) -> str:
    """The text of a file, by its byte-order mark, by the zeros of UTF-16 without one, or as UTF-8."""
    form = _form_of(content)
    try:
        return content.decode(form)
    except UnicodeDecodeError as error:
        raise BadValue(f"it is not text in {form.upper()}: byte {error.start} does not fit") from error


def _form_of(content: bytes) -> str:
    if content.startswith(MARKS[0]):
        return "utf-8-sig"
    if content.startswith(MARKS[1:]):
        return "utf-16"
    if b"\0" in content[:2]:
        return "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    return "utf-8"


def _is_toml_table(text: str) -> bool:
    """True for a TOML file that begins with [section], which JSON's list cannot do."""
    first = text.lstrip().partition("\n")[0].strip()
    return first.startswith("[") and first.endswith("]") and '"' not in first and "{" not in first


def _json(text: str) -> Any:
    """JSON; a comma too many, which SimpleTuner's own examples have, is read as YAML reads it."""
    try:
        return parse(text)
    except ValueError:
        if not _has_comma_too_many(text):
            raise
        return _yaml(text)


def _has_comma_too_many(text: str) -> bool:
    dense = "".join(text[:MOST_YAML].split())
    return len(text) <= MOST_YAML and (",}" in dense or ",]" in dense)


def _toml(text: str) -> Any:
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return _plain(content)


class _Loader(yaml.SafeLoader):
    """Plain values alone, few aliases and little depth: nested aliases would become millions of values."""

    aliases = depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"it has more than {MOST_ALIASES} aliases")
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise yaml.YAMLError("it is nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        if len(keys) > len(set(keys)):
            raise BadValue("it has a key more than once in one object; keep one of them")
        return super().construct_mapping(node, deep)


def _yaml(text: str) -> Any:
    if len(text) > MOST_YAML:
        raise ValueError(f"it has more than {MOST_YAML // 1000} kB, which no config in YAML has")
    try:
        content = yaml.load(text, _Loader)  # noqa: S506  # nosec B506 # a subclass of SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or error}") from error
    return _plain(content)


def _plain(content: object) -> Any:
    """The same as JSON has it: dates and other values become text. Raises ValueError for what a database refuses."""
    plain = _as_json(content, 0)
    refuse_unstorable(plain)
    return plain


def _as_json(value: object, depth: int) -> Any:
    if depth > MOST_DEPTH:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return {str(key): _as_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_as_json(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise BadValue(f"{value} is not a number that a config can have")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
