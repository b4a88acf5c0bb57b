"""What a worker found to keep a queued run from starting, as the run's row holds it."""

from __future__ import annotations

from typing import TypedDict

OLD_PROCESS_LIVES = "old_process_lives"
OLD_PROCESS_MAY_LIVE = "old_process_may_live"


class Obstacle(TypedDict, total=False):
    """Empty where nothing keeps it; `training.progress.waiting` makes a sentence of it in the reader's language."""

    code: str
    host: str
    seconds: float  # until an old process that is not seen has certainly ended
