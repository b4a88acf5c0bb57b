"""Optimizers from their usual libraries."""

from __future__ import annotations

from typing import Any

import torch
from prodigyopt import Prodigy
from torch.nn import Parameter
from torch.optim import Optimizer
from transformers.optimization import Adafactor

from engine.builtin.config.enums import Optimizer as Name
from engine.builtin.config.optimizer import TrainOptimizerConfig
from engine.builtin.config.scalers import scale
from engine.builtin.config.train_config import TrainConfig


def make_optimizer(config: TrainConfig, trained: dict[str, list[Parameter]]) -> Optimizer:
    """The config's optimizer, with one parameter group for each trained part."""
    rates = {name: _part_rate(config, name) for name in trained}
    groups = [
        {"params": parameters, "lr": rates[name], "initial_lr": rates[name], "name": name}
        for name, parameters in trained.items()
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
    """Adafactor with the groups' rates, or with `relative_step` with rates that it finds itself."""
    own = {"lr": None} if settings.relative_step else {}
    optimizer = Adafactor(
        [group | own for group in groups],
        eps=(settings.eps, settings.eps2),
        clip_threshold=settings.clip_threshold,
        decay_rate=settings.decay_rate,
        beta1=settings.beta1,
        weight_decay=settings.weight_decay,
        scale_parameter=settings.scale_parameter,
        relative_step=settings.relative_step,
        warmup_init=settings.warmup_init,
    )
    for group, given in zip(optimizer.param_groups, groups, strict=True):
        group["lr"] = given["lr"]  # a schedule needs a number, although Adafactor then reads its own
    return optimizer


def _part_rate(config: TrainConfig, name: str) -> float:
    """The part's own rate or the common one, times the root of the learning rate scaler."""
    own = getattr(config, name).learning_rate
    return (config.learning_rate if own is None else own) * scale(config.learning_rate_scaler, config) ** 0.5


def rates(optimizer: Optimizer) -> list[tuple[str, float]]:
    """The present learning rate of each part, including the rates that Prodigy and Adafactor find themselves."""
    return [(group["name"], _present_rate(optimizer, group)) for group in optimizer.param_groups]


def _present_rate(optimizer: Optimizer, group: dict[str, Any]) -> float:
    state = optimizer.state.get(group["params"][0])
    if group.get("relative_step") and state:
        return float(optimizer._get_lr(group, state))  # type: ignore[attr-defined]
    return float(group["lr"]) * float(group.get("d", 1.0))
