"""Optimizers from their usual libraries, and the course of the learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from prodigyopt import Prodigy
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import Adafactor

from engine.builtin.config.enums import LearningRateScheduler
from engine.builtin.config.enums import Optimizer as Name
from engine.builtin.config.optimizer import TrainOptimizerConfig
from engine.builtin.config.train_config import TrainConfig


def make_optimizer(config: TrainConfig, trained: dict[str, list[Parameter]]) -> Optimizer:
    """The config's optimizer, with one parameter group for each trained part."""
    groups = [
        {"params": parameters, "lr": _part_rate(config, name), "name": name} for name, parameters in trained.items()
    ]
    settings = config.optimizer
    if settings.optimizer is Name.ADAMW:
        return torch.optim.AdamW(
            groups,
            betas=(settings.beta1, settings.beta2),  # type: ignore[arg-type]  # filled in for each optimizer
            eps=settings.eps,  # type: ignore[arg-type]
            weight_decay=settings.weight_decay,  # type: ignore[arg-type]
            amsgrad=settings.amsgrad,
            fused=settings.fused or None,
        )
    if settings.optimizer is Name.PRODIGY:
        return Prodigy(
            groups,
            betas=(settings.beta1, settings.beta2),
            beta3=settings.beta3,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            decouple=settings.decouple,
            use_bias_correction=settings.use_bias_correction,
            safeguard_warmup=settings.safeguard_warmup,
            d0=settings.d0,
            d_coef=settings.d_coef,
            growth_rate=settings.growth_rate,
            slice_p=settings.slice_p or 1,
        )
    return _adafactor(groups, settings)


def _adafactor(groups: list[dict[str, Any]], settings: TrainOptimizerConfig) -> Optimizer:
    return Adafactor(
        groups,
        eps=(settings.eps, settings.eps2),
        clip_threshold=settings.clip_threshold,
        decay_rate=settings.decay_rate,
        beta1=settings.beta1,
        weight_decay=settings.weight_decay,
        scale_parameter=settings.scale_parameter,
        relative_step=False,
        warmup_init=False,
    )


def _part_rate(config: TrainConfig, name: str) -> float:
    own = getattr(config, name).learning_rate
    return config.learning_rate if own is None else own


def make_schedule(config: TrainConfig, optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """The course of the learning rate over `total_steps` optimizer steps."""
    warmup = config.learning_rate_warmup_steps
    warmup_steps = math.floor(warmup * total_steps) if 0 < warmup <= 1 else math.floor(warmup)
    return LambdaLR(optimizer, lambda step: rate_factor(config, step, warmup_steps, total_steps))


def rate_factor(config: TrainConfig, step: int, warmup_steps: int, total_steps: int) -> float:
    """The learning rate's factor at an optimizer step: linear warm-up first, then the scheduler's own course.

    The cosine is that of SGDR (Loshchilov and Hutter, arXiv:1608.03983); with restarts it is a wave of `cycles` cycles.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    lowest = config.learning_rate_min_factor
    return lowest + (1 - lowest) * _course(config.learning_rate_scheduler, progress, config.learning_rate_cycles)


def _course(scheduler: LearningRateScheduler, progress: float, cycles: float) -> float:
    """From 1 at progress 0; a cosine's single cycle ends at 0."""
    if scheduler is LearningRateScheduler.LINEAR:
        return 1 - progress
    if scheduler is LearningRateScheduler.COSINE:
        return 0.5 * (1 + math.cos(math.pi * progress))
    if scheduler is LearningRateScheduler.COSINE_WITH_RESTARTS:
        return 0.5 * (1 + math.cos(2 * math.pi * cycles * progress)) if progress < 1 else 0.0
    return 1.0


def rates(optimizer: Optimizer) -> list[tuple[str, float]]:
    """The present learning rate of each part, including Prodigy's own estimate."""
    return [(group["name"], float(group["lr"]) * float(group.get("d", 1.0))) for group in optimizer.param_groups]
