"""The configs of a model's parts: of their own kind, and with values that a training can use."""

from __future__ import annotations

import math
from pathlib import Path

from engine.builtin.families.model_files import CURE, NotAModel
from engine.interface.json_types import JsonObject

BETAS = ("beta_start", "beta_end", "beta_schedule")
PREDICTIONS = ("epsilon", "v_prediction")


def look_at_class(folder: Path, kind: str, config: JsonObject) -> JsonObject:
    """The config itself; raises NotAModel if it says that it belongs to a part of another kind."""
    named = config.get("_class_name")
    if isinstance(named, str) and named.removeprefix("Flax") != kind.removeprefix("Flax"):
        raise NotAModel(f"{folder} holds {_an(named)}, and the model_index.json names {_an(kind)} there; {CURE}.")
    return config


def look_at_vae(folder: Path, config: JsonObject) -> None:
    """Raise NotAModel for a factor that would make every latent 0 or infinite; it may be missing."""
    factor = config.get("scaling_factor", 1.0)
    if not isinstance(factor, int | float) or not math.isfinite(factor) or factor <= 0:
        raise NotAModel(f"the scaling_factor in {folder / 'config.json'} is {factor}, and must be above 0; {CURE}.")


def look_at_scheduler(folder: Path, config: JsonObject) -> JsonObject:
    """The config itself; raises NotAModel if it lacks the betas of diffusion, or predicts what nobody trains.

    Diffusers fills missing betas with values of other models, so that every noise would have a wrong strength.
    """
    path, kind = folder / "scheduler_config.json", str(config.get("_class_name", ""))
    if "Flow" in kind:
        return config
    lacking = [name for name in BETAS if config.get(name) is None]
    if lacking and config.get("trained_betas") is None:
        raise NotAModel(f"{path} lacks {' and '.join(lacking)}, which the noise of each timestep follows; {CURE}.")
    prediction = config.get("prediction_type") or "epsilon"
    if prediction not in PREDICTIONS:
        text = f"the prediction_type in {path} is {prediction}, and only {' and '.join(PREDICTIONS)} can be trained"
        raise NotAModel(f"{text}; correct it, or {CURE}.")
    return config


def _an(name: str) -> str:
    return f"an {name}" if name[:1] in "AEIO" else f"a {name}"
