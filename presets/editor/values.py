"""A config's values as the text of their inputs, and back."""

from __future__ import annotations

import json
import re

from presets.editor.form import Spec
from web.strict_json import parse

WHOLE = re.compile(r"[+-]?\d{1,30}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
SHORTEN_AT = 60


def text_of(value: object, spec: Spec) -> str:
    """The text of the input for any value, so that no wrong value is hidden."""
    if spec.kind in ("json", "list") and not isinstance(value, str):
        return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def value_of(text: str, spec: Spec) -> object:
    """The value of the text; a text that cannot be read stays a text, which the check then reports."""
    bare = text.strip()
    if not bare and spec.nullable:
        return None
    reader = _READERS.get(spec.kind)
    return reader(bare, spec) if reader else text.replace("\r\n", "\n")


def _switch(bare: str, spec: Spec) -> object:
    return {"true": True, "false": False}.get(bare, bare)


def _whole(bare: str, spec: Spec) -> object:
    return int(bare) if WHOLE.fullmatch(bare) else bare


def _number(bare: str, spec: Spec) -> object:
    if spec.infinite and bare.lower() in ("inf", "infinity", "∞"):
        return "inf"
    bare = bare.replace(",", ".", 1) if "." not in bare else bare
    number = float(bare) if NUMBER.fullmatch(bare) else None
    return bare if number is None or number in (float("inf"), float("-inf")) else number


def _json(bare: str, spec: Spec) -> object:
    try:
        return parse(bare)
    except ValueError:
        return bare


_READERS = {
    "switch": _switch,
    "maybe": _switch,
    "choice": lambda bare, spec: bare,
    "integer": _whole,
    "number": _number,
    "json": _json,
    "list": _json,
}


def shown(value: object, spec: Spec) -> str:
    """A value in a sentence or a button: short, and never empty."""
    for choice in spec.choices:
        if choice.value == value:
            return choice.label
    text = (
        {True: "on", False: "off"}.get(value, "") if isinstance(value, bool) else " ".join(text_of(value, spec).split())
    )
    return (text[:SHORTEN_AT] + "…" if len(text) > SHORTEN_AT else text) or "empty"
