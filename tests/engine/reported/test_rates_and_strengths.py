"""Learning rates that a library refuses at its first step, and strengths at which a LoRA learns nothing."""

import pytest
import torch
from prodigyopt import Prodigy

from engine.builtin.config.check import check

LORA = {
    "training_method": "LORA",
    "output_model_format": "KOHYA_LORA",
    "output_model_destination": "lora.safetensors",
    "concepts": [{"path": "/pictures"}],
}


def errors(**changes):
    return {problem.field: problem.message for problem in check(LORA | changes) if problem.is_error}


def test_two_learning_rates_with_prodigy_are_refused_before_the_start():
    """kohya-ss/sd-scripts#1929: LoRA+ with Prodigy, whose two rates end the training at its first step."""
    weights = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizer = Prodigy([{"params": [weight], "lr": lr} for weight, lr in zip(weights, (1.0, 0.5), strict=True)])
    with pytest.raises(RuntimeError, match="different lr values"):
        optimizer.step()
    prodigy = {"optimizer": {"optimizer": "PRODIGY"}, "learning_rate": 1.0}
    found = errors(**prodigy, text_encoder={"learning_rate": 0.5})
    assert list(found) == ["text_encoder.learning_rate"]
    assert "PRODIGY takes one rate for all parts" in found["text_encoder.learning_rate"]
    assert errors(**prodigy) == errors(**prodigy, text_encoder={"learning_rate": 1.0}) == {}
    assert errors(**prodigy, text_encoder={"learning_rate": 0.5, "train": False}) == {}


def test_an_alpha_that_leaves_the_lora_no_strength_is_an_error():
    """kohya-ss/sd-scripts#98: hardly a difference with a small alpha; with an alpha of 0 there is none."""
    assert list(errors(lora_alpha=0)) == ["lora_alpha"]
    assert errors(lora_alpha=0.001) == {}
