"""The training's present activity, for the user."""

from __future__ import annotations

from engine.interface.callbacks import TrainCallbacks


class Announcer:
    """Reports each status, and each phase once, at its beginning."""

    def __init__(self, callbacks: TrainCallbacks) -> None:
        self.callbacks = callbacks
        self.phase = ""

    def say(self, status: str, phase: str) -> None:
        self.callbacks.on_update_status(status)
        if phase != self.phase:
            self.phase = phase
            self.callbacks.on_phase(phase)
