"""Parts whose training ends before the run does."""

from __future__ import annotations

from engine.builtin.config.enums import TimeUnit
from engine.builtin.config.train_config import TrainModelPartConfig
from engine.builtin.training.intervals import SECONDS
from engine.builtin.training.session import Session
from engine.interface.progress import TrainProgress


def stop_parts(session: Session) -> None:
    """Take the parts out of training whose time is over; call before the first step and after each update.

    As in OneTrainer, the update that reaches the limit is still made, time counts from the start of the process, and a
    VAE is trained to the end.
    """
    if session.family.trains_pixels:
        return
    for name, weights in session.trained.items():
        is_over = is_stopped(getattr(session.config, name), session.progress, session.seconds)
        for weight in weights:
            weight.requires_grad_(not is_over)


def is_stopped(part: TrainModelPartConfig, progress: TrainProgress, seconds: float) -> bool:
    """True if a part is not trained any more; `progress` does not count the present step yet."""
    unit, limit = part.stop_training_after_unit, part.stop_training_after or 0
    if unit is TimeUnit.EPOCH:
        return progress.epoch + 1 > limit
    if unit is TimeUnit.STEP:
        return progress.global_step + 1 > limit
    if unit in SECONDS:
        return seconds > limit * SECONDS[unit]
    return unit is TimeUnit.ALWAYS
