"""Commands to training runs: one row each, which the run's worker passes on to the training process."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from training.live import publisher
from training.models import Run, RunCommand
from training.queue.acting import ForUser
from training.runs.refusals import refusal
from web.errors import NotNow


class Commands(ForUser):
    """Sends commands to the process of a run."""

    def pause(self, run: Run) -> RunCommand:
        """Pause the run between two steps; the model stays loaded."""
        return self.request(run, "pause")

    def resume_training(self, run: Run) -> RunCommand:
        """Continue after a pause."""
        return self.request(run, "continue")

    @transaction.atomic
    def request(self, run: Run, kind: str, arguments: JsonObject | None = None) -> RunCommand:
        """Store the command as a row that the worker picks up, so that a click is never lost.

        The run is locked: if it ended at this moment, the command would stay open for ever.
        """
        Run.objects.select_for_update().filter(pk=run.pk).first()
        run.refresh_from_db()
        if not run.is_active:
            raise NotNow(
                _("The run “%(name)s” is %(status)s and not training: start or continue a run first.")
                % {"name": run.name, "status": run.get_status_display()}
            )
        if run.is_watched:
            raise NotNow(_("“%(name)s” was started outside this site: control it there.") % {"name": run.name})
        if reason := refusal(run, kind):
            raise NotNow(reason)
        command = run.commands.create(attempt=run.attempt, kind=kind, arguments=arguments or {}, requested_by=self.user)
        if kind == "stop" and run.status != Run.Status.STOPPING:
            run.move_to(Run.Status.STOPPING, by=self.user)
        publisher.announce(run, command)
        return command
