"""What keeps a queued run from starting on this machine: its old process, or a base model that is not there yet."""

from __future__ import annotations

from training.live.publisher import Publisher, state_messages
from training.models import Run
from worker.fencing import Fencing
from worker.model_waits import model_obstacle


class Obstacles:
    """Finds the obstacle of a run, and stores it in its row for the pages.

    A worker that ends after one run has no thread for jobs and fetches nothing: its engine downloads the model.
    """

    def __init__(self, publisher: Publisher, fetches: bool) -> None:
        self._publisher = publisher
        self._fetches = fetches
        self._fencing = Fencing()

    def are_gone(self, run: Run) -> bool:
        """True if the run may start; otherwise its row has the reason."""
        obstacle = self._fencing.obstacle(run) or (model_obstacle(run) if self._fetches else {})
        if obstacle != run.obstacle and run.keep_obstacle(obstacle):
            self._publisher.publish(state_messages(run))
        return not obstacle
