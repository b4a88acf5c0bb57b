"""JSON, as types: what a config, a journal and a spec hold."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
