"""The mathematics of a training: the loss and gradient of a micro-batch, and the update of the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.builtin.data.loader import Batch
from engine.builtin.families.precision import autocast
from engine.builtin.training.losses import batch_loss
from engine.builtin.training.session import Session


def add_gradient(session: Session, batch: Batch) -> Tensor:
    """Add a micro-batch's gradient to the weights' gradients; return its loss, a scalar that stays on the device."""
    loss = _loss(session, batch)
    session.scaler.scale(loss / session.config.gradient_accumulation_steps).backward()
    session.accumulated += 1
    return loss.detach()


def _loss(session: Session, batch: Batch) -> Tensor:
    # The seed depends on the step alone: a resumed run has the same noise, whatever else was random in between.
    torch.manual_seed(hash((session.config.seed, session.progress.global_step)) % 2**63)
    with autocast(session.device, session.dtype):
        text = batch.text if batch.text is not None else session.family.encode_captions(batch.captions)
        prediction = session.family.predict(batch.latents, text)
    return batch_loss(session.config, prediction, batch.loss_weight)


def update_weights(session: Session) -> None:
    """Make one optimizer step with the gradients of all micro-batches since the last one."""
    session.scaler.unscale_(session.optimizer)
    if session.config.clip_grad_norm:
        torch.nn.utils.clip_grad_norm_(session.parameters, session.config.clip_grad_norm)
    session.scaler.step(session.optimizer)
    session.scaler.update()
    session.schedule.step()
    session.optimizer.zero_grad(set_to_none=True)
    session.optimizer_steps += 1
    session.accumulated = 0
    if session.ema:
        session.ema.update(session.optimizer_steps)
