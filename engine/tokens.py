"""Tokens for hubs and clouds in a config, which is stored, shown and passed on only without them."""

from __future__ import annotations

from typing import Any

SECRET = {"secrets", "huggingface_token", "hf_token", "api_key", "password"}  # the first is OneTrainer's place
DEEPEST = 100  # far more than any setting; the check of a config's form refuses deeper configs


def without_secrets(config: Any, depth: int = 0) -> Any:
    """A copy without tokens at any depth, and without parts that are nested deeper than any setting."""
    if depth > DEEPEST:
        return None
    if isinstance(config, dict):
        return {key: without_secrets(value, depth + 1) for key, value in config.items() if key not in SECRET}
    return [without_secrets(item, depth + 1) for item in config] if isinstance(config, list) else config
