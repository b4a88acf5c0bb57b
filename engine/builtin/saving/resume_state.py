"""The state of a training in a backup: written, and restored so that the training continues exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.builtin.data.position import DataLayout, place
from engine.builtin.families.lora import adapted_layers
from engine.builtin.training.checkpoint import EMA, GRADIENTS, OPTIMIZER, WEIGHTS, read_meta
from engine.builtin.training.same_training import (
    load_optimizer,
    other_base_model,
    refuse_other_layers,
    refuse_other_training,
)
from engine.builtin.training.session import Session
from engine.interface.files import verify
from engine.interface.json_types import JsonObject
from engine.interface.progress import TrainProgress


def describe(session: Session) -> JsonObject:
    return {
        "progress": session.progress.to_dict(),
        "optimizer_steps": session.optimizer_steps,
        "accumulated": session.accumulated,
        "data": DataLayout.of(session.loader.plan).to_dict(),
        "smooth_loss": session.smooth_loss,
        "base_model": session.config.base_model_name,
        "config": session.config.to_dict(),
        "lora_layers": {name: adapted_layers(session.family.parts[name]) for name in session.trained},
    }


def size_of_state(session: Session) -> int:
    """Bytes that `write_state` writes."""
    held = [weight.grad for weight in session.parameters if session.holds_gradient]
    states = [value for state in session.optimizer.state.values() for value in state.values()]
    averages = session.ema.state_dict().values() if session.ema else []
    tensors = [one for one in [*session.parameters, *held, *states, *averages] if isinstance(one, Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def write_state(session: Session, folder: Path) -> None:
    save_file(_numbered(session.parameters), folder / WEIGHTS)
    if session.holds_gradient:  # stopped within an accumulation: the next update needs the accumulated gradients
        save_file(_numbered([weight.grad for weight in session.parameters]), folder / GRADIENTS)
    state = {"optimizer": session.optimizer.state_dict(), "scaler": session.scaler.state_dict()}
    torch.save(state, folder / OPTIMIZER)
    if session.ema:
        save_file({name: value.cpu().contiguous() for name, value in session.ema.state_dict().items()}, folder / EMA)


@torch.no_grad()
def restore(session: Session, backup: Path) -> list[str]:
    """Continue exactly at the state of the backup; return what differs because data or settings changed, in sentences.

    Raises BadBackup, and BadConfig if the config trains other weights than those of the backup.
    """
    verify(backup)
    meta, saved = read_meta(backup), [value for _, value in sorted(load_file(backup / WEIGHTS).items())]
    refuse_other_training(session.config, meta["config"])
    refuse_other_layers(session.config, meta["config"], session.parameters, saved)
    for weight, value in zip(session.parameters, saved, strict=True):
        weight.copy_(value)
    notices = [other_base_model(session.config, meta["config"]), *_restore_state(session, backup, meta)]
    session.optimizer_steps = meta["optimizer_steps"]
    session.smooth_loss = meta["smooth_loss"]
    session.backed_up, session.newest_backup = meta["progress"]["global_step"], backup
    notices += [_restore_gradients(session, backup, meta), _restore_position(session, meta)]
    if len(session.loader):  # without data a stop came during caching, and no step will be trained
        session.lay_out_schedule()
    return [notice for notice in notices if notice]


def _restore_state(session: Session, backup: Path, meta: JsonObject) -> list[str]:
    """Restore the averages of the optimizer, the gradients' scaler and the EMA."""
    state = torch.load(backup / OPTIMIZER, map_location=session.device, weights_only=True)
    notices = [load_optimizer(session.config, meta["config"], session.optimizer, state["optimizer"])]
    if state["scaler"]:  # empty if the backup's data type needs no scaling
        session.scaler.load_state_dict(state["scaler"])
    if session.ema and (backup / EMA).exists():
        session.ema.load_state_dict(load_file(backup / EMA), meta["optimizer_steps"])
    elif session.ema:
        session.ema.begin_anew()
        notices.append("ema was turned on since the backup, so the averages begin with the backup's weights.")
    return notices


def _restore_gradients(session: Session, backup: Path, meta: JsonObject) -> str:
    """The gradients of an accumulation that the backup interrupted; another accumulation cannot use them."""
    before = int(meta["config"].get("gradient_accumulation_steps") or 1)
    held = int(meta.get("accumulated", meta["progress"]["global_step"] % before))
    present = session.config.gradient_accumulation_steps
    if held and before != present:
        return (
            f"gradient_accumulation_steps was changed from {before} to {present}, so the gradients of the last {held} "
            "steps before the backup are not used."
        )
    session.accumulated = held
    gradients = load_file(backup / GRADIENTS, str(session.device)) if held else {}
    for name, gradient in gradients.items():
        session.parameters[int(name)].grad = gradient
    return ""


def _restore_position(session: Session, meta: JsonObject) -> str:
    session.progress = TrainProgress(**meta["progress"])
    if not len(session.loader):
        return ""
    layout = DataLayout.of(session.loader.plan)
    placement = place(session.progress, meta.get("data"), layout, session.config.epochs)
    session.progress = placement.progress
    return placement.notice


def _numbered(tensors: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Tensors by their position, which is the same in every attempt; None is left out."""
    return {f"{i:05}": tensor.detach().cpu().contiguous() for i, tensor in enumerate(tensors) if tensor is not None}
