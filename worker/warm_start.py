"""The templates that a worker forks its attempts from, so that a training need not import torch at each start."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from engine.engines import UnknownEngine, get_engine
from engine.launcher import child_environment
from engine.onetrainer.facts import Unavailable
from engine.warm import Origin, Template, Templates
from training.models import Run


def engine_environment(gpu: str) -> dict[str, str]:
    """What all of a worker's engine processes inherit; the tokens of a run's owner come on top."""
    return {**child_environment(), "CUDA_VISIBLE_DEVICES": gpu, "PYTHONUNBUFFERED": "1"}


class WarmStart:
    """Makes the template of an engine when its first run is about to start; nothing where the settings say so.

    `go_on` is called while the template imports, and tells whether to wait on.
    """

    def __init__(self, gpu: str, go_on: Callable[[], bool]):
        self._gpu, self._go_on = gpu, go_on
        self._templates = Templates()

    def template(self, run: Run) -> Template | None:
        """One that is ready to be forked; None where the run must begin in a fresh process."""
        origin = self._origin(run) if settings.WARM_ENGINE else None
        return self._templates.ready(origin, self._go_on) if origin else None

    def _origin(self, run: Run) -> Origin | None:
        try:
            engine = get_engine(run.engine)
            python = engine.command(run.attempt_folder)[0]
        except (UnknownEngine, Unavailable):
            return None  # which the start itself says on the run's page
        environment = engine_environment(self._gpu)
        return Origin(python, engine.package, settings.BASE_DIR, environment) if engine.package else None

    def end(self) -> None:
        self._templates.end()
