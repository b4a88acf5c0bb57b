"""What an entry speaks of, as plain texts that stay when the row is gone; and values without secrets."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from web.errors import in_one_line

HIDDEN = "(hidden)"
SECRET = re.compile(
    r"pass(word|phrase|wd)|secret|token$|(^|_)key$|ciphertext|authorization|cookie|credential|recovery|otp|hash$|private",
    re.IGNORECASE,
)
IN_TEXT = re.compile(r"\bhf_[A-Za-z0-9]{8,}|(?<=//)[^/\s@]+:[^/\s@]+(?=@)|(?<=[?&]token=)[^&\s]+")  # in any text
LONGEST_TEXT = 2_000  # characters of one text
LONGEST = 20_000  # characters of `before` and of `after`
DEEPEST = 8
MOST_ITEMS = 200


@dataclass(frozen=True)
class Thing:
    """A kind ("run"), the id and the name at that time."""

    kind: str = ""
    id: str = ""
    name: str = ""

    @classmethod
    def of(cls, source: Model | Thing | None) -> Thing:
        if isinstance(source, Model):
            kind, key = str(source._meta.model_name), source._meta.pk
            if key is not None and SECRET.search(key.name):  # a token's or a session's key is its id and its name
                return cls(kind, "", f"{kind} of {getattr(source, 'user', '')}".removesuffix(" of "))
            return cls(kind, "" if source.pk is None else str(source.pk), str(source))
        return source or cls()


def line(text: object, longest: int) -> str:
    """A text for a column: one line, without secrets, that every database can store."""
    return IN_TEXT.sub(HIDDEN, storable(in_one_line(str(text))))[:longest]


def storable(text: str) -> str:
    """Half of a surrogate pair, which a JSON body can contain, has no form in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_json(value: Any) -> str:
    """The value as JSON in one fixed form, without secrets; empty for None."""
    if value is None:
        return ""
    text = canonical(plain(value))
    return text if len(text) <= LONGEST else canonical({"shortened": text[:LONGEST]})


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold it: secrets hidden, long texts cut, anything else by its name."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, dict):
        pairs = list(value.items())[:MOST_ITEMS]
        return {line(str(key), 200): _shown(str(key), item, depth) for key, item in pairs}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        return [plain(item, depth + 1) for item in items[:MOST_ITEMS]]
    text = str(value)
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return IN_TEXT.sub(HIDDEN, storable(cut))


def _shown(key: str, item: Any, depth: int) -> Any:
    """Whether a secret was set is no secret; its value is."""
    is_secret = SECRET.search(key) and item not in (None, "") and not isinstance(item, bool)
    return HIDDEN if is_secret else plain(item, depth + 1)
