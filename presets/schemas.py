"""The engines' schemas as they go over the wire: serialized once, with what a client needs to keep them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.utils.http import quote_etag

from engine.engines import Unavailable, UnknownEngine, get_engine
from presets.errors import BadInput


@dataclass(frozen=True)
class Served:
    """A schema, its bytes, and the ETag that changes when they do."""

    schema: dict[str, Any]
    content: bytes
    etag: str


_served: dict[str, Served] = {}


def schema_of(engine: str) -> dict[str, Any]:
    """The engine's JSON Schema; do not change it. Raises BadInput for an engine that is not there or not ready."""
    try:
        return get_engine(engine).schema()
    except (UnknownEngine, Unavailable) as error:
        raise BadInput(str(error), {"engine": [str(error)]}) from error


def served(engine: str) -> Served:
    """The schema's bytes, made anew only where the engine has another schema by now; raises BadInput."""
    schema = schema_of(engine)
    known = _served.get(engine)
    if known is None or known.schema is not schema:
        content = json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()
        known = _served[engine] = Served(schema, content, quote_etag(hashlib.sha256(content).hexdigest()[:32]))
    return known
