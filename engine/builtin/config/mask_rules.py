"""Whether a training uses masks, and which of their settings have an effect."""

from __future__ import annotations

from collections.abc import Iterator

from engine.builtin.config.enums import TrainingMethod
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import Problem

OFF = "masked_training is off"


def check_masks(config: TrainConfig) -> Iterator[Problem]:
    """Report changed settings of masks that make no difference."""
    for name, why in _without_effect(config).items():
        if getattr(config, name) != config.default_of(name):
            yield Problem(name, f"has no effect, because {why}", "warning")
    for number, concept in enumerate(config.concepts or []):
        if concept.enabled and concept.image.enable_random_circular_mask_shrink and not config.masked_training:
            field = f"concepts.{number}.image.enable_random_circular_mask_shrink"
            yield Problem(field, f"has no effect, because {OFF}", "warning")


def _without_effect(config: TrainConfig) -> dict[str, str]:
    """Settings of masks that the training does not use, with the reason."""
    found = {"unmasked_probability": "as in OneTrainer, only inpainting models ignore masks at random"}
    if not config.masked_training:
        names = ("unmasked_weight", "normalize_masked_area_loss", "masked_prior_preservation_weight")
        return found | dict.fromkeys(names, OFF)
    if config.training_method is not TrainingMethod.LORA:
        found["masked_prior_preservation_weight"] = "only a LoRA can be left out to see what the base model predicts"
    return found
