"""The mathematics of a training: the loss and gradient of a micro-batch, and the update of the weights."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor

from engine.builtin.config.enums import TrainingMethod
from engine.builtin.data.cache import Tensors
from engine.builtin.data.encodings import Batch
from engine.builtin.families.base import Prediction
from engine.builtin.families.lora import without_lora
from engine.builtin.families.precision import autocast, to_device
from engine.builtin.training.losses import batch_loss
from engine.builtin.training.masking import Masking
from engine.builtin.training.session import Session
from engine.builtin.training.stops import stop_parts


def add_gradient(session: Session, batch: Batch) -> Tensor:
    """Add a micro-batch's gradient to the weights' gradients; return its loss, a scalar that stays on the device."""
    loss = _loss(session, batch)
    session.scaler.scale(loss / session.config.gradient_accumulation_steps).backward()
    session.accumulated += 1
    return loss.detach()


def _loss(session: Session, batch: Batch) -> Tensor:
    masking = None
    if batch.mask is not None and session.config.masked_training:
        prior = _prior(session, batch) if session.config.masked_prior_preservation_weight else None
        masking = Masking(session.config, to_device(batch.mask, session.device), prior, not session.family.takes_mask)
    return batch_loss(session.config, _predicted(session, batch), batch.loss_weight, masking)


@torch.no_grad()
def _prior(session: Session, batch: Batch) -> Tensor | None:
    """What the model predicts for the same noise without its LoRA; None if the weights themselves are trained."""
    if session.config.training_method is not TrainingMethod.LORA:
        return None
    with without_lora(session.family.parts.values()):
        return _predicted(session, batch).predicted


def _predicted(session: Session, batch: Batch) -> Prediction:
    # The seed depends on the step alone: a resumed run has the same noise, whatever else was random in between.
    seed = hash((session.config.seed, session.progress.global_step)) % 2**63
    torch.manual_seed(seed)
    generator = torch.Generator(session.device).manual_seed(seed)
    with autocast(session.device, session.dtype):
        text = batch.text if batch.text is not None else session.family.encode_captions(batch.captions)
        return session.family.predict(batch.latents, _with_dropout(session, text), generator)


def _with_dropout(session: Session, text: Tensors) -> Tensors:
    """The encoded captions, (batch, ...) each; as in OneTrainer a dropped caption becomes zeros, not an empty caption.

    What is dropped depends on the step alone, for each text encoder by its own probability.
    """
    random = Random(f"{session.config.seed}/dropout/{session.progress.global_step}")
    kept: dict[str, Tensor] = {}
    for encoder in session.family.text_encoders:
        if probability := getattr(session.config, encoder).dropout_probability:
            count = len(next(iter(text.values()), ()))
            kept[encoder] = torch.tensor([float(random.random() > probability) for _ in range(count)])
    encoders = {name: session.family.encoder_of(name) for name in text}
    return {
        name: _with_zeros(states, kept[encoders[name]]) if encoders[name] in kept else states
        for name, states in text.items()
    }


def _with_zeros(states: Tensor, kept: Tensor) -> Tensor:
    return states * kept.to(states.device).view(-1, *[1] * (states.ndim - 1))


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
    stop_parts(session)
    if session.ema:
        session.ema.update(session.optimizer_steps)
