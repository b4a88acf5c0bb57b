"""The course of the learning rate, with OneTrainer's meaning of each setting."""

from __future__ import annotations

import ast
import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR

from engine.builtin.config.enums import LearningRateScheduler as Course
from engine.builtin.config.schedulers import warmup_updates
from engine.builtin.config.train_config import TrainConfig
from engine.interface.errors import BadConfig, Problem

REX_DEPTH = 0.9


@dataclass(frozen=True)
class Length:
    """The length of a run: micro-batches in an epoch, and updates of the weights in all."""

    batches_per_epoch: int
    updates: int


def make_schedule(config: TrainConfig, optimizer: Optimizer, length: Length) -> LRScheduler:
    """The schedule of a run that starts. Raises BadConfig."""
    if config.learning_rate_scheduler is Course.CUSTOM:
        return _custom(config, optimizer, length)
    return LambdaLR(optimizer, lambda update: rate_factor(config, update, length.updates))


def resume_schedule(config: TrainConfig, optimizer: Optimizer, length: Length, updates: int) -> LRScheduler:
    """The schedule after this many updates, from the groups' `initial_lr` on."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"]
    schedule = make_schedule(config, optimizer, length)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        for _ in range(updates):
            schedule.step()
    return schedule


def rate_factor(config: TrainConfig, update: int, updates: int) -> float:
    """The factor of the learning rate at an update of the weights, counted from 0.

    The warm-up rises linearly from 0, so with a warm-up the first update changes nothing, as in OneTrainer.
    """
    course = config.learning_rate_scheduler
    if course is Course.ADAFACTOR:
        return 1.0  # the optimizer finds its own rate, and needs no warm-up
    warmup = warmup_updates(config, updates)
    if update < warmup:
        return update / warmup
    if course is Course.CONSTANT:
        return 1.0
    steps = max(1, updates - warmup)
    lowest = config.learning_rate_min_factor
    return lowest + (1 - lowest) * _course(course, update - warmup, steps, config.learning_rate_cycles)


def _course(course: Course, step: int, steps: int, cycles: float) -> float:
    """From 1 to 0 in `steps` steps. The cosine is that of SGDR (Loshchilov and Hutter, arXiv:1608.03983)."""
    if course is Course.LINEAR:
        return max(0.0, (steps - step) / steps)
    if course is Course.COSINE:
        return 0.5 * (1 + math.cos(math.pi * step / steps))
    progress = min(step, steps - 1) / steps
    if course is Course.COSINE_WITH_RESTARTS:  # a wave, which rises as slowly as it falls
        return 0.5 * (1 + math.cos(2 * math.pi * cycles * progress))
    if course is Course.COSINE_WITH_HARD_RESTARTS:
        return 0.5 * (1 + math.cos(math.pi * (progress * cycles % 1)))
    left = max(0.0, 1 - step / steps)  # REX: Chen et al., arXiv:2107.04197
    return left / (1 - REX_DEPTH + REX_DEPTH * left)


def _custom(config: TrainConfig, optimizer: Optimizer, length: Length) -> LRScheduler:
    """A scheduler of torch, after the warm-up; the floor of `learning_rate_min_factor` does not apply to it."""
    name = (config.custom_learning_rate_scheduler or "").rpartition(".")[2]
    warmup = warmup_updates(config, length.updates)
    try:
        _try_out(name, _arguments(config, length))
        scheduler: LRScheduler = getattr(lr_scheduler, name)(optimizer, **_arguments(config, length))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        problem = Problem("scheduler_params", f"{name} does not take these arguments ({error}); correct them")
        raise BadConfig([problem]) from error
    if not warmup:
        return scheduler
    rise = LambdaLR(optimizer, lambda update: min(1.0, update / warmup))
    return SequentialLR(optimizer, [rise, scheduler], milestones=[warmup])


def _try_out(name: str, arguments: dict[str, Any]) -> None:
    """Make the scheduler and let it step once, because some arguments fail no earlier."""
    trial = torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    scheduler = getattr(lr_scheduler, name)(trial, **arguments)
    trial.step()
    scheduler.step()


def _arguments(config: TrainConfig, length: Length) -> dict[str, Any]:
    """The arguments by name: OneTrainer's placeholders, or Python literals."""
    placeholders = {
        "%LR%": config.learning_rate,
        "%EPOCHS%": config.epochs,
        "%STEPS_PER_EPOCH%": length.batches_per_epoch,
        "%TOTAL_STEPS%": length.updates,
        "%SCHEDULER_STEPS%": length.updates - warmup_updates(config, length.updates),
    }
    pairs = config.scheduler_params or []
    return {
        pair["key"]: placeholders[pair["value"]] if pair["value"] in placeholders else ast.literal_eval(pair["value"])
        for pair in pairs
    }
