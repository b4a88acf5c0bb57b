"""What a backup holds of a training, written and restored so that it goes on exactly where it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.builtin.training.checkpoint import read_meta
from engine.interface.errors import BadBackup
from engine.interface.files import verify
from engine.interface.progress import TrainProgress

if TYPE_CHECKING:
    from engine.builtin.trainer import GenericTrainer

WEIGHTS, GRADIENTS, EMA = "weights.safetensors", "gradients.safetensors", "ema.safetensors"
OPTIMIZER = "optimizer.pt"


def describe(trainer: GenericTrainer) -> dict[str, Any]:
    return {
        "progress": trainer.progress.to_dict(),
        "optimizer_steps": trainer.optimizer_steps,
        "smooth_loss": trainer.log.smooth_loss,
        "base_model": trainer.config.base_model_name,
        "config": trainer.config.to_dict(),
    }


def size_of_state(trainer: GenericTrainer) -> int:
    """Bytes that `write_state` writes."""
    held = [weight.grad for weight in trainer.parameters if trainer.holds_gradient()]
    states = [value for state in trainer.optimizer.state.values() for value in state.values()]
    averages = trainer.ema.state_dict().values() if trainer.ema else []
    tensors = [one for one in [*trainer.parameters, *held, *states, *averages] if isinstance(one, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def write_state(trainer: GenericTrainer, folder: Path) -> None:
    save_file(_numbered(trainer.parameters), folder / WEIGHTS)
    if trainer.holds_gradient():  # stopped within an accumulation: what is held counts in the next update
        save_file(_numbered([weight.grad for weight in trainer.parameters]), folder / GRADIENTS)
    state = {
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": trainer.schedule.state_dict(),
        "scaler": trainer.scaler.state_dict(),
    }
    state["schedule"].pop("lr_lambdas", None)
    torch.save(state, folder / OPTIMIZER)
    if trainer.ema:
        save_file({name: value.cpu().contiguous() for name, value in trainer.ema.state_dict().items()}, folder / EMA)


@torch.no_grad()
def restore(trainer: GenericTrainer, backup: Path) -> None:
    """Go on exactly where the backup was made. Raises BadBackup."""
    verify(backup)
    meta = read_meta(backup)
    for weight, saved in zip(trainer.parameters, load_file(backup / WEIGHTS).values(), strict=True):
        weight.copy_(saved)
    held = load_file(backup / GRADIENTS, str(trainer.device)) if (backup / GRADIENTS).exists() else {}
    for name, gradient in held.items():
        trainer.parameters[int(name)].grad = gradient
    state = torch.load(backup / OPTIMIZER, map_location=trainer.device, weights_only=True)
    trainer.optimizer.load_state_dict(state["optimizer"])
    trainer.schedule.load_state_dict({**state["schedule"], "lr_lambdas": trainer.schedule.state_dict()["lr_lambdas"]})
    trainer.scaler.load_state_dict(state["scaler"])
    if trainer.ema:
        trainer.ema.load_state_dict(load_file(backup / EMA))
    trainer.progress = TrainProgress(**meta["progress"])
    trainer.optimizer_steps = meta["optimizer_steps"]
    trainer.log.smooth_loss = meta["smooth_loss"]
    trainer.keeper.backed_up = trainer.progress.global_step


@torch.no_grad()
def take_weights(trainer: GenericTrainer, backup: Path) -> None:
    """Take over a backup's weights alone, averaged where it has averages: steps and optimizer begin anew."""
    verify(backup)
    saved = load_file(backup / (EMA if (backup / EMA).exists() else WEIGHTS))
    saved.pop("updates", None)
    shapes = [tuple(tensor.shape) for _, tensor in sorted(saved.items())]
    if shapes != [tuple(weight.shape) for weight in trainer.parameters]:
        raise BadBackup(f"The weights in {backup} are of other layers than this config trains: use its own config.")
    for weight, (_, value) in zip(trainer.parameters, sorted(saved.items()), strict=True):
        weight.copy_(value)


def _numbered(tensors: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Tensors by their place, which is the same in every attempt; what is None is left out."""
    return {f"{i:05}": tensor.detach().cpu().contiguous() for i, tensor in enumerate(tensors) if tensor is not None}
