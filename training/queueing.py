"""The queue: putting waiting runs into another order, holding them, and planning when they start; and why one waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from engine.interface import fence
from engine.launcher import Start
from presets.errors import BadInput, NotNow
from training import publisher
from training.models import Run

NOT_PLANNED: dict[str, Any] = {"start_after": None, "place": None, "held_at": None, "held_by": None, "after_run": None}
PLANS = ("held", "start_after", "after_run", "after_end", "priority")
LEAST_PRIORITY, MOST_PRIORITY = -1000, 1000


class QueueVerbs:
    """What `user` does with runs that wait."""

    user: Any

    @transaction.atomic
    def move_in_queue(self, run: Run, before: Run | None) -> None:
        """Have it start before another waiting run, or last of all; it takes on a priority that fits its place."""
        waiting = list(Run.objects.queued().select_for_update(of=("self",)).only("pk", "priority", "place"))
        if run not in waiting:
            raise NotNow(_does_not_wait(run))
        if before is not None and (before == run or before not in waiting):
            raise NotNow(_("The run that it shall start before does not wait any more: look at the queue again."))
        waiting.remove(run)
        place = waiting.index(before) if before else len(waiting)
        moved = Run(pk=run.pk, priority=_fitting(run.priority, waiting[:place], waiting[place:]))
        waiting.insert(place, moved)
        _number([one for one in waiting if one.priority == moved.priority])
        Run.objects.filter(pk=run.pk).update(priority=moved.priority)
        self._note_plan(run, {"place": place + 1})

    def move_to_position(self, run: Run, position: int) -> None:
        """Have it start as the so-manieth, 1 being next; the last where there are fewer."""
        waiting = list(Run.objects.queued().only("pk"))
        others = [one for one in waiting if one != run]
        self.move_in_queue(run, others[position - 1] if position <= len(others) else None)

    def move_by(self, run: Run, way: str) -> None:
        """One `up` or `down` in the queue, or to be its `first` or `last`."""
        waiting = list(Run.objects.queued().only("pk"))
        if run not in waiting:
            raise NotNow(_does_not_wait(run))
        position = waiting.index(run) + 1
        wanted = {"up": position - 1, "down": position + 1, "first": 1, "last": len(waiting)}.get(way)
        if wanted is None:
            raise BadInput(_("A run is moved up, down, first or last."))
        self.move_to_position(run, max(1, wanted))

    @transaction.atomic
    def plan_run(self, run: Run, plan: dict[str, Any]) -> Run:
        """Hold a waiting run or let it go, or set its priority or what it waits for; raises BadInput by field.

        The keys are those of PLANS; what is left out stays as it is.
        """
        changes: dict[str, Any] = {field: plan[field] for field in PLANS if field in plan}
        if "held" in changes:
            held = changes.pop("held")
            changes |= {"held_at": now() if held else None, "held_by": self.user if held else None}
        if "priority" in changes:
            changes["place"] = None
        if before := changes.get("after_run"):
            _refuse_a_circle(run, before)
        if not Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(**changes):
            raise NotNow(_does_not_wait(run))
        self._note_plan(run, {key: _told(value) for key, value in plan.items()})
        run.refresh_from_db()
        return run

    def _note_plan(self, run: Run, data: dict[str, Any]) -> None:
        run.events.create(attempt=run.attempt, kind="planned", data=data, user=self.user)
        publisher.announce(run)


def _does_not_wait(run: Run) -> str:
    run.refresh_from_db(fields=["status"])
    return _("Only a run that waits has a place in the queue: this one is %(status)s.") % {
        "status": run.get_status_display()
    }


def _fitting(priority: int, ahead: list[Run], behind: list[Run]) -> int:
    """The priority closest to the run's own that leaves it between these."""
    most = ahead[-1].priority if ahead else max([priority, *(one.priority for one in behind[:1])])
    least = behind[0].priority if behind else min(priority, most)
    return max(least, min(priority, most))


def _number(runs: list[Run]) -> None:
    for number, run in enumerate(runs, start=1):
        run.place = number
    Run.objects.bulk_update(runs, ["place"], batch_size=500)


def _refuse_a_circle(run: Run, before: Run) -> None:
    """Runs that wait for one another would wait for ever."""
    links = dict(Run.objects.queued().exclude(after_run=None).values_list("pk", "after_run"))
    behind: Any = before.pk
    for _link in range(len(links) + 1):
        if behind == run.pk:
            sentence = _("It would wait for itself: choose another run.")
            raise BadInput(sentence, {"after_run": [sentence]})
        behind = links.get(behind)


def _told(value: Any) -> Any:
    """As the timeline keeps it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.name if isinstance(value, Run) else value


def own_reason(run: Run) -> str:
    """Why the run would wait though a worker were free; empty where it would not. Wants held_by and after_run."""
    if run.held_at is not None:
        name = run.held_by.username if run.held_by else _("somebody")
        return _("Held by %(name)s.") % {"name": name}
    if run.after_run is not None and not run.comes_after_it:
        return _waits_for(run, run.after_run)
    if run.start_after is not None and run.start_after > now():
        return _("Not before %(time)s.") % {"time": _moment(run.start_after)}
    return _waits_for_the_fence(run)


def _waits_for_the_fence(run: Run) -> str:
    """Whether a worker has told the process of the last attempt to end, and waits until it certainly has."""
    if not run.attempt or not fence.is_put_up(run.attempt_folder):
        return ""
    start = Start.read(run.attempt_folder)
    host = start.host if start else _("another machine")
    if fence.is_held(run.attempt_folder):
        return _("Its old process on %(host)s still lives: it was told to end, and the run goes on when it has.") % {
            "host": host
        }
    return _(
        "Its old process on %(host)s may still live: the run goes on when that has certainly ended, which takes up to "
        "%(seconds)s seconds."
    ) % {"host": host, "seconds": settings.FENCE_SECONDS}


def _waits_for(run: Run, before: Run) -> str:
    facts = {"name": before.name, "status": before.get_status_display()}
    if before.is_ended:
        return (
            _("Waits for “%(name)s” to finish, but that is %(status)s: let it wait for another, or for none.") % facts
        )
    if run.after_end == Run.AfterEnd.ENDED:
        return _("Waits for “%(name)s” to end.") % facts
    return _("Waits for “%(name)s” to finish.") % facts


def _moment(moment: datetime) -> str:
    local = localtime(moment)
    return date_format(local, "H:i" if local.date() == localtime(now()).date() else "Y-m-d H:i")


def reason(run: Run, workers: Iterable[Any]) -> str:
    """Why a queued run does not start yet, given the workers that are alive."""
    workers = list(workers)
    if own := own_reason(run):
        return own
    if not workers:
        return _("No worker is alive: start one with manage.py gpu_worker.")
    if all(worker.drain or worker.status == "draining" for worker in workers):
        return _("Every worker is draining: resume one on the system page.")
    return _("Starts when a worker is free.")
