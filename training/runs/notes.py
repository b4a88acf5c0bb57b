"""The fields of a run that users edit: its name, notes, tags, priority, retries, and whose favourite it is."""

from __future__ import annotations

from engine.interface.json_types import JsonObject
from training.live import publisher
from training.models import Run, RunSummary
from training.queue.acting import ForUser


class RunNotes(ForUser):
    """Edits these fields."""

    def edit_run(self, run: Run, changes: JsonObject) -> Run:
        """Change name, notes, tags, priority or retries, and record it in the timeline; nothing else is written.

        `favourite` belongs to each user, so the timeline does not record it.
        """
        changes = dict(changes)
        if (favourite := changes.pop("favourite", None)) is not None:
            self._set_favourite(run, favourite)
        if changes:
            more = {"retries_left": changes["retries"]} if "retries" in changes else {}
            Run.objects.filter(pk=run.pk).update(**changes, **more)
            run.events.create(attempt=run.attempt, kind="edited", data=changes, user=self.user)
            run.refresh_from_db()
            RunSummary.objects.describe(run)
            publisher.announce(run)
        return run

    def _set_favourite(self, run: Run, favourite: bool) -> None:
        if self.user is None:
            return  # nobody is signed in, so there is nobody whose favourite it could be
        if favourite:
            run.favourite_of.add(self.user)
        else:
            run.favourite_of.remove(self.user)
