"""The answers of the world of examples, without what changes from call to call."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.conf import settings

from tests.site import api_calls

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CLOCK = re.compile(r"before \d\d:\d\d")  # within sentences
TIMES = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?")
KEYS = re.compile(r"\b(?:otw|wst)_[\w-]{40}\b|\beyJ[\w-]+\.[\w-]+\.[\w-]+|\botw_[\w-]{4}(?![\w-])")
KNOWN = {str(value) for value in vars(api_calls).values() if isinstance(value, UUID)}
NEW = "9e107d9d-372b-4826-81d4-2c5f8a1b7e44"
OF_THE_MOMENT = {
    "base_models_retrieve",
    "datasets_limits_retrieve",
    "system_info_retrieve",
    "system_resources_retrieve",
    "system_processes_retrieve",
}


def shown(answer: Any, operation: str) -> Any:
    """The answer without values that change between calls: times, new ids, folders, keys, facts of this host."""
    if operation in OF_THE_MOMENT:
        return _kinds(answer)
    return _shown(answer)


def _kinds(value: Any) -> Any:
    """The type of value at each path; lists are left out, because a host may have no GPU."""
    if isinstance(value, dict):
        return {key: _kinds(content) for key, content in value.items()}
    return "number" if type(value) in (int, float) else type(value).__name__


def _shown(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {inner: _shown(content, inner) for inner, content in value.items()}
    if isinstance(value, list):
        return [_shown(content, key) for content in value]
    if isinstance(value, str):
        return _text(value)
    return 1 if key == "id" else value


def _text(text: str) -> str:
    text = text.replace(str(settings.DATA_DIR), "/data")
    text = TIMES.sub("2026-11-23T20:00:00Z", text)
    text = CLOCK.sub("before 20:00", text)
    text = KEYS.sub(lambda found: found[0][:4] + "0123456789abcdef"[: len(found[0]) - 4], text)
    return UUIDS.sub(lambda found: found[0] if found[0] in KNOWN else NEW, text)
