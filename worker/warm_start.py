"""The template processes that a worker forks its attempts from, so that no start has to import torch."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from engine.engines import UnknownEngine, get_engine
from engine.gpus import PYNVML_FILE
from engine.guest.environment import of_engine
from engine.onetrainer.facts import Unavailable
from engine.warm import Origin, Template, Templates
from training.models import Run
from worker.guest import compilers_caches


def engine_environment(gpu: str) -> dict[str, str]:
    """The environment of a worker's engine processes; the tokens of a run's owner are added."""
    own = {"CUDA_VISIBLE_DEVICES": gpu, "PYNVML_FILE": PYNVML_FILE, "PYTHONUNBUFFERED": "1"}
    return {**of_engine(), **compilers_caches(), **own}


class WarmStart:
    """Makes the template of an engine when its first run starts, unless the settings turn templates off.

    `go_on` is called while the template imports, and returns whether to wait on.
    """

    def __init__(self, gpu: str, go_on: Callable[[], bool]) -> None:
        self._gpu, self._go_on = gpu, go_on
        self._templates = Templates()

    def template(self, run: Run) -> Template | None:
        """A template that is ready to fork; None if the run must start in a new process."""
        origin = self._origin(run) if settings.WARM_ENGINE else None
        return self._templates.ready(origin, self._go_on) if origin else None

    def _origin(self, run: Run) -> Origin | None:
        try:
            engine = get_engine(run.engine)
            python = engine.command(run.attempt_folder)[0]
        except (UnknownEngine, Unavailable):
            return None  # the start itself reports this on the run's page
        environment = engine_environment(self._gpu)
        return Origin(python, engine.package, settings.BASE_DIR, environment) if engine.package else None

    def end(self) -> None:
        self._templates.end()
