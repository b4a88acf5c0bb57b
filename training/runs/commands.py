"""Commands to runs that train: a row each, which the run's worker passes on to its process."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from training.live import publisher
from training.models import Run, RunCommand
from training.queue.acting import ForUser
from training.runs.refusals import refusal
from web.errors import NotNow


class Commands(ForUser):
    """Asks the process of a run for something."""

    def pause(self, run: Run) -> RunCommand:
        """Hold the run between two steps; the model stays loaded."""
        return self.request(run, "pause")

    def resume_training(self, run: Run) -> RunCommand:
        """Go on after a pause."""
        return self.request(run, "continue")

    @transaction.atomic
    def request(self, run: Run, kind: str, arguments: dict[str, Any] | None = None) -> RunCommand:
        """Write the wish down: the worker looks for such rows, so a click is never lost.

        The run is locked meanwhile: one that ends at this moment would leave the wish open for ever.
        """
        Run.objects.select_for_update().filter(pk=run.pk).first()
        run.refresh_from_db()
        if not run.is_active:
            raise NotNow(
                _("The run “%(name)s” is %(status)s, so nothing is training: start or continue a run first.")
                % {"name": run.name, "status": run.get_status_display()}
            )
        if run.is_watched:
            raise NotNow(_("“%(name)s” was started outside of this site: steer it there.") % {"name": run.name})
        if reason := refusal(run, kind):
            raise NotNow(reason)
        command = run.commands.create(attempt=run.attempt, kind=kind, arguments=arguments or {}, requested_by=self.user)
        if kind == "stop" and run.status != Run.Status.STOPPING:
            run.move_to(Run.Status.STOPPING, by=self.user)
        publisher.announce(run, command)
        return command
