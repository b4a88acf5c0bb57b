"""The learning rate schedulers of torch that a config may name, and their arguments. No torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import Problem
from engine.interface.importable import MODULE

PLACEHOLDERS = ("%LR%", "%EPOCHS%", "%STEPS_PER_EPOCH%", "%TOTAL_STEPS%", "%SCHEDULER_STEPS%")
MOMENTUM = ("cycle_momentum", "base_momentum", "max_momentum")

# By class, the arguments that it needs, and those that it can have. Listed are those classes that literals can
# configure and that need nothing but the count of updates; any other name would be code that a config imports.
TORCH_SCHEDULERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ConstantLR": ((), ("factor", "total_iters")),
    "CosineAnnealingLR": (("T_max",), ("eta_min",)),
    "CosineAnnealingWarmRestarts": (("T_0",), ("T_mult", "eta_min")),
    "CyclicLR": (("base_lr", "max_lr"), ("step_size_up", "step_size_down", "mode", "gamma", "scale_mode", *MOMENTUM)),
    "ExponentialLR": (("gamma",), ()),
    "LinearLR": ((), ("start_factor", "end_factor", "total_iters")),
    "MultiStepLR": (("milestones",), ("gamma",)),
    "OneCycleLR": (
        ("max_lr", "total_steps"),
        ("pct_start", "anneal_strategy", "div_factor", "final_div_factor", "three_phase", *MOMENTUM),
    ),
    "PolynomialLR": ((), ("total_iters", "power")),
    "StepLR": (("step_size",), ("gamma",)),
}


def scheduler_problems(config: TrainConfig) -> Iterator[Problem]:
    """The problems of the scheduler CUSTOM: its class, and the names and forms of its arguments."""
    module, _, name = (config.custom_learning_rate_scheduler or "").rpartition(".")
    if module != MODULE or name not in TORCH_SCHEDULERS:
        known = ", ".join(TORCH_SCHEDULERS)
        message = f"the built-in trainer knows {MODULE} followed by one of {known}; enter one, such as {MODULE}.StepLR"
        yield Problem("custom_learning_rate_scheduler", message)
        return
    needed, possible = TORCH_SCHEDULERS[name]
    given = [pair.get("key", "") for pair in config.scheduler_params or []]
    if missing := [argument for argument in needed if argument not in given]:
        yield Problem("scheduler_params", f"{name} needs {' and '.join(missing)}; add the pair of key and value")
    for index, pair in enumerate(config.scheduler_params or []):
        if pair.get("key") not in (*needed, *possible):
            choices = ", ".join((*needed, *possible))
            yield Problem(f"scheduler_params.{index}", f"{name} has no argument {pair.get('key')!r}; it has {choices}")
        elif not _is_literal(pair.get("value", "")):
            message = f"{pair.get('value')!r} is no value; enter a number, a list, a quoted word or %TOTAL_STEPS%"
            yield Problem(f"scheduler_params.{index}", message)


def _is_literal(text: str) -> bool:
    if text in PLACEHOLDERS:
        return True
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def warmup_updates(config: TrainConfig, updates: int) -> int:
    """The updates of the warm-up: above 1 the setting counts micro-batches, up to 1 it is a share of the run."""
    warmup = config.learning_rate_warmup_steps
    return int(warmup / config.gradient_accumulation_steps) if warmup > 1 else int(warmup * updates)
