"""What the built-in trainer computes for the same cases, with the same latents, captions and random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.builtin.config.enums import TimeUnit
from engine.builtin.config.train_config import TrainConfig, TrainModelPartConfig
from engine.builtin.families.timesteps import draw_timesteps
from engine.builtin.training.ema import MovingAverage
from engine.builtin.training.losses import batch_loss
from engine.builtin.training.optimizers import make_optimizer
from engine.builtin.training.optimizers import rates as present_rates
from engine.builtin.training.schedules import Length, make_schedule
from engine.builtin.training.session import Session
from engine.builtin.training.steps import update_weights
from engine.builtin.training.stops import is_stopped
from engine.interface.progress import TrainProgress

Case = dict[str, Any]
Answer = dict[str, Any]


def predict(session: Session, latents: Tensor, captions: list[str], step: int) -> Any:
    """A prediction with the noise that OneTrainer has at this step, for its seed is the step."""
    torch.manual_seed(step)
    with torch.set_grad_enabled("text_encoder" in session.trained):
        text = session.family.encode_captions(captions)
    return session.family.predict({"mean": latents}, text, torch.Generator().manual_seed(step))


def losses(session: Session, case: Case, latents: Tensor) -> Answer:
    found = []
    for step in range(case["steps"]):
        prediction = predict(session, latents, case["captions"], step)
        found.append(batch_loss(session.config, prediction, torch.tensor(case["loss_weight"])).item())
    rates = {group["name"]: group["lr"] for group in make_optimizer(session.config, session.trained).param_groups}
    return {"losses": found, "rates": rates}


def training(session: Session, case: Case, latents: Tensor) -> Answer:
    every = session.config.gradient_accumulation_steps
    found, rates = [], []
    for step in range(case["epoch_length"] * session.config.epochs):
        prediction = predict(session, latents, case["captions"], step)
        loss = batch_loss(session.config, prediction, torch.tensor(case["loss_weight"]))
        (loss / every).backward()
        found.append(loss.item())
        if (step + 1) % every == 0:
            rates += sorted(rate for _, rate in present_rates(session.optimizer))
            update_weights(session)
        session.progress.next_step(1)
        if session.progress.epoch_step == case["epoch_length"]:
            session.progress.next_epoch()
    weights = session.ema.averages if session.ema else session.parameters
    return {"losses": found, "rates": rates, "sum": sum(one.double().abs().sum().item() for one in weights)}


def timesteps(case: Case) -> Answer:
    torch.manual_seed(1)
    config = TrainConfig.from_dict(case["config"])
    return {"drawn": draw_timesteps(config, case["count"], 1000, torch.Generator().manual_seed(1)).tolist()}


def rates(case: Case) -> Answer:
    config = TrainConfig.from_dict(case["config"])
    updates = case["epoch_length"] * config.epochs // config.gradient_accumulation_steps
    optimizer = make_optimizer(config, {"unet": [torch.nn.Parameter(torch.ones(1))]})
    schedule = make_schedule(config, optimizer, Length(case["epoch_length"], updates))
    found = []
    for _ in range(updates):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"rates": found}


def averages(case: Case) -> Answer:
    weight = torch.nn.Parameter(torch.zeros(1))
    ema = MovingAverage([weight], case["decay"], case["interval"], torch.device("cpu"))
    found = []
    for update in range(1, case["updates"] + 1):
        weight.data += 1
        ema.update(update)
        found.append([ema.current_decay, ema.averages[0].item()])
    return {"averages": found}


def stops(case: Case) -> Answer:
    given = case["config"]["unet"]
    unit = TimeUnit(given["stop_training_after_unit"])
    part = TrainModelPartConfig(stop_training_after=given["stop_training_after"], stop_training_after_unit=unit)
    progress, found = TrainProgress(), []
    for _ in range(case["epochs"] * case["epoch_length"]):
        found.append(is_stopped(part, progress, 0.0))
        progress.next_step(1)
        if progress.epoch_step == case["epoch_length"]:
            progress.next_epoch()
    return {"stopped": found}


WITHOUT_MODEL: dict[str, Callable[[Case], Answer]] = {
    "timesteps": timesteps,
    "rates": rates,
    "averages": averages,
    "stops": stops,
}
