"""The queue: changing the order of waiting runs, holding them, and planning their starts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from training.live import publisher
from training.models import Run
from training.queue.acting import ForUser
from training.queue.places import number
from web.errors import BadInput, NotNow

NOT_PLANNED: JsonObject = {"start_after": None, "place": None, "held_at": None, "held_by": None, "after_run": None}
PLANS = ("held", "start_after", "after_run", "after_end", "priority")
LEAST_PRIORITY, MOST_PRIORITY = -1000, 1000


class QueueService(ForUser):
    """Changes waiting runs for `user`."""

    @transaction.atomic
    def move_in_queue(self, run: Run, before: Run | None) -> int | None:
        """Move the run before another waiting run, or to the end.

        Runs start in the order of their priority, so the run gets a priority that fits its new place. Returns that
        priority if it is another than before.
        """
        waiting = list(Run.objects.queued().select_for_update(of=("self",)).only("pk", "priority", "place"))
        if run not in waiting:
            raise NotNow(_does_not_wait(run))
        if before is not None and (before == run or before not in waiting):
            raise NotNow(_("The other run is no longer in the queue: reload the queue and try again."))
        old = waiting.pop(waiting.index(run)).priority
        place = waiting.index(before) if before else len(waiting)
        moved = Run(pk=run.pk, priority=_fitting(old, waiting[:place], waiting[place:]))
        waiting.insert(place, moved)
        number([one for one in waiting if one.priority == moved.priority])
        Run.objects.filter(pk=run.pk).update(priority=moved.priority)
        changed = moved.priority if moved.priority != old else None
        self._note_plan(run, {"place": place + 1, **({} if changed is None else {"priority": changed})})
        return changed

    def move_to_position(self, run: Run, position: int) -> int | None:
        """Move to position N (1 = next), or to the end if the queue is shorter; returns what `move_in_queue` does."""
        waiting = list(Run.objects.queued().only("pk"))
        others = [one for one in waiting if one != run]
        return self.move_in_queue(run, others[position - 1] if position <= len(others) else None)

    def move_by(self, run: Run, way: str) -> int | None:
        """Move the run one position `up` or `down`, or to the `first` or `last`; returns what `move_in_queue` does."""
        waiting = list(Run.objects.queued().only("pk"))
        if run not in waiting:
            raise NotNow(_does_not_wait(run))
        position = waiting.index(run) + 1
        wanted = {"up": position - 1, "down": position + 1, "first": 1, "last": len(waiting)}.get(way)
        if wanted is None:
            raise BadInput(_("A run can be moved up, down, first or last."))
        return self.move_to_position(run, max(1, wanted))

    @transaction.atomic
    def plan_run(self, run: Run, plan: JsonObject) -> Run:
        """Hold or release a waiting run, or set its priority, start time or predecessor; raises BadInput by field.

        The keys are those of PLANS; missing keys change nothing.
        """
        changes: JsonObject = {field: plan[field] for field in PLANS if field in plan}
        if "held" in changes:
            held = changes.pop("held")
            changes |= {"held_at": now() if held else None, "held_by": self.user if held else None}
        if "priority" in changes:
            changes["place"] = None
        if before := changes.get("after_run"):
            _refuse_a_circle(run, before)
        if not Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(**changes):
            raise NotNow(_does_not_wait(run))
        self._note_plan(run, {key: _recorded(value) for key, value in plan.items()})
        run.refresh_from_db()
        return run

    def cancel(self, run: Run) -> None:
        """Remove a waiting run from the queue."""
        if run.status != Run.Status.QUEUED or not run.move_to(Run.Status.CANCELLED, by=self.user, **NOT_PLANNED):
            raise NotNow(
                _("Only a queued run can be cancelled: this run is %(status)s.") % {"status": run.get_status_display()}
            )
        publisher.announce(run)

    def start_now(self, run: Run) -> Run:
        """Retry a run that waits for its automatic retry as soon as a worker is free."""
        waiting = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, start_after__isnull=False)
        if not waiting.update(start_after=None):
            raise NotNow(
                _("This run does not wait for a start time: it is %(status)s.") % {"status": run.get_status_display()}
            )
        run.events.create(attempt=run.attempt, kind="asked_to_go_on_now", user=self.user)
        run.refresh_from_db()
        publisher.announce(run)
        return run

    def _note_plan(self, run: Run, data: JsonObject) -> None:
        run.events.create(attempt=run.attempt, kind="planned", data=data, user=self.user)
        publisher.announce(run)


def _does_not_wait(run: Run) -> str:
    run.refresh_from_db(fields=["status"])
    return _("Only a queued run has a queue position: this run is %(status)s.") % {"status": run.get_status_display()}


def _fitting(priority: int, ahead: list[Run], behind: list[Run]) -> int:
    """The priority between these two runs' that is closest to the run's own."""
    most = ahead[-1].priority if ahead else max([priority, *(one.priority for one in behind[:1])])
    least = behind[0].priority if behind else min(priority, most)
    return max(least, min(priority, most))


def _refuse_a_circle(run: Run, before: Run) -> None:
    """Refuse a circle: runs that wait for each other would wait for ever."""
    links = dict(Run.objects.queued().exclude(after_run=None).values_list("pk", "after_run"))
    behind: Any = before.pk
    for _link in range(len(links) + 1):
        if behind == run.pk:
            sentence = _("The run would wait for itself: choose another run.")
            raise BadInput(sentence, {"after_run": [sentence]})
        behind = links.get(behind)


def _recorded(value: object) -> object:
    """The value as the timeline stores it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.name if isinstance(value, Run) else value
