"""The engines' schemas as responses: serialized once, with an ETag for clients that cache them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from django.utils.http import quote_etag

from engine.engines import get_engine
from engine.interface.json_types import JsonObject
from presets.config.configs import asking_an_engine


@dataclass(frozen=True)
class Served:
    """A schema, its bytes, and an ETag that changes with them."""

    schema: JsonObject
    content: bytes
    etag: str


_served: dict[str, Served] = {}


def schema_of(engine: str) -> JsonObject:
    """The engine's JSON Schema; do not change it. Raises as `asking_an_engine` does."""
    with asking_an_engine():
        return get_engine(engine).schema()


def served(engine: str) -> Served:
    """The schema's bytes, serialized again only if the engine's schema has changed; raises BadInput."""
    schema = schema_of(engine)
    known = _served.get(engine)
    if known is None or known.schema is not schema:
        content = json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()
        known = _served[engine] = Served(schema, content, quote_etag(hashlib.sha256(content).hexdigest()[:32]))
    return known
