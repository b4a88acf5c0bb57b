"""Actions on many runs at once: the runs that each action applies to, and its texts before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from training.models import Run
from training.queue.service import QueueService
from training.runs.notes import RunNotes
from training.runs.removal import delete_run
from training.runs.service import TrainerService
from web.errors import DomainError

MOST_COMPARED = 8
MOST_TAGS = 50
Do = Callable[[Any, Run, str], Any]


@dataclass(frozen=True)
class Bulk:
    """One action; `promise` says what will happen to how many runs, `done` what did, `rest` why some are skipped."""

    verb: str
    label: Any
    icon: str
    promise: Any
    done: Any
    do: Do
    applies: Callable[[Any], bool] = lambda run: True
    rest: Any = ""
    style: str = ""
    needs_tag: bool = False


@dataclass
class Outcome:
    done: int = 0
    problems: list[str] = field(default_factory=list)


def _add_tag(user: User, run: Run, tag: str) -> None:
    RunNotes(user).edit_run(run, {"tags": [*run.tags, tag][:MOST_TAGS]})


def _remove_tag(user: User, run: Run, tag: str) -> None:
    RunNotes(user).edit_run(run, {"tags": [other for other in run.tags if other != tag]})


BULK = {
    bulk.verb: bulk
    for bulk in (
        Bulk("stop", _("Stop"), "player-stop",
             ngettext_lazy("%d training run will stop and leave a backup and its model.",
                           "%d training runs will stop and leave a backup and their models."),
             ngettext_lazy("%d run was asked to stop.", "%d runs were asked to stop."),
             lambda user, run, tag: TrainerService(user).stop_training(run),
             lambda run: run.is_active and not run.is_watched and run.status != Run.Status.STOPPING,
             ngettext_lazy("%d other run is not training and is skipped.",
                           "%d other runs are not training and are skipped."), "danger"),
        Bulk("cancel", _("Cancel"), "x",
             ngettext_lazy("%d run will be removed from the queue.", "%d runs will be removed from the queue."),
             ngettext_lazy("%d run was removed from the queue.", "%d runs were removed from the queue."),
             lambda user, run, tag: QueueService(user).cancel(run),
             lambda run: run.status == Run.Status.QUEUED,
             ngettext_lazy("%d other run is not in the queue and is skipped.",
                           "%d other runs are not in the queue and are skipped."), "danger"),
        Bulk("delete", _("Delete"), "trash",
             ngettext_lazy("%d run will be deleted with its metrics, samples, backups and models. "
                           "This cannot be undone.",
                           "%d runs will be deleted with their metrics, samples, backups and models. "
                           "This cannot be undone."),
             ngettext_lazy("%d run was deleted.", "%d runs were deleted."),
             lambda user, run, tag: delete_run(run),
             lambda run: run.is_ended,
             ngettext_lazy("%d other run has not ended and is kept.", "%d other runs have not ended and are kept."),
             "danger"),
        Bulk("tag", _("Tag"), "tag",
             ngettext_lazy("The tag will be added to %d run.", "The tag will be added to %d runs."),
             ngettext_lazy("%d run was tagged.", "%d runs were tagged."), _add_tag, needs_tag=True),
        Bulk("untag", _("Remove tag"), "tag-off",
             ngettext_lazy("The tag will be removed from %d run.", "The tag will be removed from %d runs."),
             ngettext_lazy("The tag was removed from %d run.", "The tag was removed from %d runs."),
             _remove_tag, needs_tag=True),
        Bulk("favourite", _("Add to favourites"), "star",
             ngettext_lazy("%d run will be added to your favourites.", "%d runs will be added to your favourites."),
             ngettext_lazy("%d run was added to your favourites.", "%d runs were added to your favourites."),
             lambda user, run, tag: RunNotes(user).edit_run(run, {"favourite": True}),
             lambda run: not run.is_favourite,
             ngettext_lazy("%d other run is already a favourite.", "%d other runs are already favourites.")),
        Bulk("unfavourite", _("Remove from favourites"), "star-off",
             ngettext_lazy("%d run will leave your favourites.", "%d runs will leave your favourites."),
             ngettext_lazy("%d run was removed from your favourites.", "%d runs were removed from your favourites."),
             lambda user, run, tag: RunNotes(user).edit_run(run, {"favourite": False}),
             lambda run: run.is_favourite,
             ngettext_lazy("%d other run is not a favourite.", "%d other runs are not favourites.")),
    )
}  # fmt: skip


def parted(bulk: Bulk, runs: Iterable[Run], tag: str = "") -> tuple[list[Run], list[Run]]:
    """The runs that the action applies to, and the others."""
    fits: list[Run] = []
    others: list[Run] = []
    for run in runs:
        (fits if bulk.applies(run) and _needs(bulk, run, tag) else others).append(run)
    return fits, others


def _needs(bulk: Bulk, run: Run, tag: str) -> bool:
    """Adding needs a run without the tag, removing a run with it."""
    return not (bulk.needs_tag and tag) or (tag in run.tags) == (bulk.verb == "untag")


def carry_out(bulk: Bulk, runs: Iterable[Run], user: User, tag: str = "") -> Outcome:
    """Do the action on each run that it applies to; a problem with one run is reported and does not stop the others."""
    outcome = Outcome()
    for run in parted(bulk, runs, tag)[0]:
        try:
            bulk.do(user, run, tag)
            outcome.done += 1
        except (DomainError, OSError) as problem:
            outcome.problems.append(f"{run.name}: {problem}")
    return outcome
