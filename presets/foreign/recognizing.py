"""Which trainer a config is of, and its translation."""

from __future__ import annotations

from presets.foreign import ai_toolkit, kohya, simpletuner
from presets.foreign.tables import Translation

OURS = {"base_model_name", "training_method", "__version", "concept_file_name", "output_model_destination"}


def is_foreign(content: object) -> bool:
    """True for the data of another trainer's file."""
    return translation_of(content) is not None


def translation_of(content: object) -> Translation | None:
    """The translated config; None for a config of OneTrainer's form, and for data of no known form."""
    if isinstance(content, list) and simpletuner.is_backends(content):
        return simpletuner.backends_translated(content)
    if not isinstance(content, dict) or OURS & content.keys():
        return None
    if ai_toolkit.is_ai_toolkit(content):
        return ai_toolkit.translated(content)
    if simpletuner.is_simpletuner(content):
        return simpletuner.translated(content)
    if kohya.is_kohya(content):
        return kohya.translated(content)
    return None
