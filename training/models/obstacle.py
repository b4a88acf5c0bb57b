"""The obstacle that keeps a queued run from starting, as a worker stores it in the run's row."""

from __future__ import annotations

from typing import TypedDict

OLD_PROCESS_LIVES = "old_process_lives"
OLD_PROCESS_MAY_LIVE = "old_process_may_live"
MODEL_COMES = "model_comes"
MODEL_WAITS = "model_waits"
MODEL_FAILED = "model_failed"
MODEL_CODES = (MODEL_COMES, MODEL_WAITS, MODEL_FAILED)


class Obstacle(TypedDict, total=False):
    """Empty if there is none; `training.progress.waiting` makes a sentence of it in the user's language."""

    code: str
    host: str
    seconds: float  # until an old process on another host has certainly ended
    model: str  # the base model that is not there
    percent: int  # of its files that are fetched
    size: str
    why: str  # it could not be fetched
