"""What can be done with many runs at once: to which each verb applies, and what it says before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

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
    """One verb; `promise` tells what will happen to how many, `done` what did, `rest` why the others stay."""

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


def _add_tag(user: Any, run: Run, tag: str) -> None:
    RunNotes(user).edit_run(run, {"tags": [*run.tags, tag][:MOST_TAGS]})


def _remove_tag(user: Any, run: Run, tag: str) -> None:
    RunNotes(user).edit_run(run, {"tags": [other for other in run.tags if other != tag]})


BULK = {
    bulk.verb: bulk
    for bulk in (
        Bulk("stop", _("Stop"), "player-stop",
             ngettext_lazy("%d run that trains will end with a backup and its model.",
                           "%d runs that train will end with a backup and their models."),
             ngettext_lazy("%d run was asked to stop.", "%d runs were asked to stop."),
             lambda user, run, tag: TrainerService(user).stop_training(run),
             lambda run: run.is_active and not run.is_watched and run.status != Run.Status.STOPPING,
             ngettext_lazy("%d other does not train, so nothing happens to it.",
                           "%d others do not train, so nothing happens to them."), "danger"),
        Bulk("cancel", _("Cancel"), "x",
             ngettext_lazy("%d run will be taken out of the queue.", "%d runs will be taken out of the queue."),
             ngettext_lazy("%d run was taken out of the queue.", "%d runs were taken out of the queue."),
             lambda user, run, tag: QueueService(user).cancel(run),
             lambda run: run.status == Run.Status.QUEUED,
             ngettext_lazy("%d other does not wait, so nothing happens to it.",
                           "%d others do not wait, so nothing happens to them."), "danger"),
        Bulk("delete", _("Delete"), "trash",
             ngettext_lazy("%d run will be deleted with its metrics, samples, backups and models. "
                           "It cannot be brought back.",
                           "%d runs will be deleted with their metrics, samples, backups and models. "
                           "They cannot be brought back."),
             ngettext_lazy("%d run was deleted.", "%d runs were deleted."),
             lambda user, run, tag: delete_run(run),
             lambda run: run.is_ended,
             ngettext_lazy("%d other has not ended, so it stays.", "%d others have not ended, so they stay."),
             "danger"),
        Bulk("tag", _("Tag"), "tag",
             ngettext_lazy("%d run will get the tag that you enter.", "%d runs will get the tag that you enter."),
             ngettext_lazy("%d run was tagged.", "%d runs were tagged."), _add_tag, needs_tag=True),
        Bulk("untag", _("Remove tag"), "tag-off",
             ngettext_lazy("%d run will lose the tag that you enter.", "%d runs will lose the tag that you enter."),
             ngettext_lazy("The tag was taken from %d run.", "The tag was taken from %d runs."),
             _remove_tag, needs_tag=True),
        Bulk("favourite", _("Favourite"), "star",
             ngettext_lazy("%d run will be a favourite.", "%d runs will be favourites."),
             ngettext_lazy("%d run is a favourite now.", "%d runs are favourites now."),
             lambda user, run, tag: RunNotes(user).edit_run(run, {"favourite": True}),
             lambda run: not run.is_favourite,
             ngettext_lazy("%d other is one already.", "%d others are already.")),
        Bulk("unfavourite", _("No favourite"), "star-off",
             ngettext_lazy("%d run will be no favourite any more.", "%d runs will be no favourites any more."),
             ngettext_lazy("%d run is no favourite any more.", "%d runs are no favourites any more."),
             lambda user, run, tag: RunNotes(user).edit_run(run, {"favourite": False}),
             lambda run: run.is_favourite,
             ngettext_lazy("%d other is none.", "%d others are none.")),
    )
}  # fmt: skip


def parted(bulk: Bulk, runs: Iterable[Run], tag: str = "") -> tuple[list[Run], list[Run]]:
    """Those that the verb applies to, and the others."""
    fits: list[Run] = []
    others: list[Run] = []
    for run in runs:
        (fits if bulk.applies(run) and _needs(bulk, run, tag) else others).append(run)
    return fits, others


def _needs(bulk: Bulk, run: Run, tag: str) -> bool:
    """A tag is not given twice, and none is taken that is not there."""
    return not (bulk.needs_tag and tag) or (tag in run.tags) == (bulk.verb == "untag")


def carry_out(bulk: Bulk, runs: Iterable[Run], user: Any, tag: str = "") -> Outcome:
    """Do it to each that it applies to; what goes wrong with one is told, and the others go on."""
    outcome = Outcome()
    for run in parted(bulk, runs, tag)[0]:
        try:
            bulk.do(user, run, tag)
            outcome.done += 1
        except (DomainError, OSError) as problem:
            outcome.problems.append(f"{run.name}: {problem}")
    return outcome
