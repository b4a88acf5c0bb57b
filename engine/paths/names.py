"""Names that are no paths: models and data sets of the hub, and parts of file names."""

from __future__ import annotations

import re
from collections.abc import Sequence

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
PLAIN = re.compile(r"[^\x00-\x1f\x7f/\\]*")
LONGEST = 100  # characters of a part of a file name


def is_hub_name(name: str) -> bool:
    """True for `owner/name`, which may be a folder here too."""
    return bool(HUB_NAME.fullmatch(name)) and ".." not in name and "--" not in name


def hub_refusal(name: str, owners: Sequence[str] = ()) -> str:
    """Why this name cannot be loaded from the hub, and what to do; empty if it can be. `owners` is empty for all."""
    if not is_hub_name(name):
        return f"{name[:200]!r} is no name on the Hugging Face hub; write it as owner/name, or choose a file or folder"
    owner = name.partition("/")[0]
    if owners and owner.lower() not in {one.lower() for one in owners}:
        listed = ", ".join(owners)
        return f"{owner} is not one of the owners whose models may be loaded here ({listed}); ask an admin to add it"
    return ""


def name_refusal(text: str) -> str:
    """Why this text cannot be a part of a file's name, and what to do; empty if it can be."""
    if not PLAIN.fullmatch(text) or text.startswith(".") or len(text) > LONGEST:
        return f"{text[:100]!r} cannot be a part of a file name; write letters and digits, without a slash"
    return ""


def looks_like_path(value: object) -> bool:
    """True for a text that a program might open: with a slash, or beginning as only paths do."""
    return isinstance(value, str) and ("/" in value or "\\" in value or value.startswith(("~", "..")))
