"""The buttons of a run's page: which are offered in which state, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from training.models import Artifact, Run, RunCommand
from training.queue.service import QueueService
from training.runs import own_samples as draws
from training.runs.backups import newest_backup
from training.runs.commands import Commands
from training.runs.continuation import Continuation
from training.runs.notes import RunNotes
from training.runs.refusals import refusal
from training.runs.service import TrainerService
from training.runs.starting_points import needs_epochs, why_not_start_from
from web.errors import BadInput, NotFound, NotNow

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Action:
    """One verb; `do` returns the run whose page is shown next, or None for the same."""

    verb: str
    label: Any
    icon: str
    done: Any
    do: Callable[[TrainerService, Run, Data], Any]
    style: str = ""
    leads_away: bool = False
    confirm: Any = ""  # the loss to confirm, for an action with a confirmation
    undo: Any = ""  # what is about to happen, for an action that a page holds for five seconds
    least_epochs: int = 0  # the fewest epochs to ask for, if all planned epochs are trained
    why_not: str = ""  # the reason why the button is disabled
    asked: bool = False  # requested, and not done yet


class DataHasChanged(NotNow):
    """The training data has changed since the backup: accept that before the run continues."""


def _again(service: TrainerService) -> Continuation:
    return Continuation(service.user, service.check)


def _continue_from(service: TrainerService, run: Run, data: Data) -> None:
    """Continue from the chosen backup, or the newest. Raises DataHasChanged until the user accepts the change."""
    epochs = data.get("epochs", "").strip()
    if epochs and not (epochs.isdecimal() and len(epochs) < 10):
        raise BadInput(str(_("Enter the number of epochs.")), {"epochs": [str(_("Enter a number."))]})
    backup, total = _artifact(run, data.get("backup")), int(epochs) if epochs else None
    if not data.get("accept") and (sentences := _again(service).changes_of_data(run, backup, total)):
        raise DataHasChanged(" ".join(sentences))
    _again(service).continue_run(run, backup, total)


def _change_retries(service: TrainerService, run: Run, data: Data) -> None:
    retries = data.get("retries", "").strip()
    if not (retries.isdecimal() and len(retries) < 5 and int(retries) <= 1000):
        raise BadInput(str(_("Enter a number from 0 to 1000.")), {"retries": [str(_("Enter a number."))]})
    RunNotes(service.user).edit_run(run, {"retries": int(retries)})


def _artifact(run: Run, chosen: str | None) -> Artifact | None:
    if not chosen:
        return None
    found = next((one for one in run.artifacts.all() if str(one.pk) == chosen), None)
    if found is None:
        raise NotFound(str(_("This run does not have this file: choose one from its list.")))
    return found


def _sample_custom(service: TrainerService, run: Run, data: Data) -> None:
    """Generate all requested samples, or none if one of them is refused."""
    with transaction.atomic():
        for settings in draws.requested_settings(data):
            service.sample_custom(settings, run)


ACTIONS = {
    action.verb: action
    for action in (
        Action("pause", _("Pause"), "player-pause", _("The run will pause after this step."),
               lambda service, run, data: Commands(service.user).pause(run)),
        Action("continue", _("Continue"), "player-play", _("The run will continue."),
               lambda service, run, data: Commands(service.user).resume_training(run), "primary"),
        Action("sample", _("Sample"), "photo-plus", _("Samples of all prompts will be generated after this step."),
               lambda service, run, data: service.sample_default(run)),
        Action("backup", _("Back up"), "archive", _("A backup will be written after this step."),
               lambda service, run, data: service.backup(run)),
        Action("save", _("Save"), "device-floppy", _("The model will be saved after this step."),
               lambda service, run, data: service.save(run)),
        Action("stop", _("Stop"), "player-stop", _("The run will stop after this step and keep its model."),
               lambda service, run, data: service.stop_training(run), "danger", undo=_("The run will be stopped.")),
        Action("stop-now", _("Stop at once"), "player-stop", _("The process is killed."),
               lambda service, run, data: service.stop_training(run, at_once=True), "danger",
               confirm=_("The process is killed without a backup: all progress after the last backup is lost.")),
        Action("start-now", _("Start now"), "player-play", _("The run continues as soon as a worker is free."),
               lambda service, run, data: QueueService(service.user).start_now(run), "primary"),
        Action("cancel", _("Cancel"), "x", _("The run was removed from the queue."),
               lambda service, run, data: QueueService(service.user).cancel(run), "danger",
               undo=_("The run will be removed from the queue.")),
        Action("resume", _("Continue from backup"), "player-track-next",
               _("The run is in the queue and will continue from its backup."), _continue_from, "primary"),
        Action("restart", _("Start again"), "refresh", _("A new run with the same config is in the queue."),
               lambda service, run, data: _again(service).restart(run, _artifact(run, data.get("weights"))), "", True),
        Action("duplicate", _("Duplicate"), "copy", _("A copy of the run is in the queue."),
               lambda service, run, data: _again(service).duplicate(run), "", True),
        Action("retries", _("Change"), "repeat", _("The number of automatic retries was changed."), _change_retries),
        Action("sample-custom", _("Generate"), "photo-plus", _("The sample will be generated after this step."),
               _sample_custom, "primary"),
    )
}  # fmt: skip

OFFERED: dict[str, tuple[str, ...]] = {
    Run.Status.QUEUED: ("cancel",),
    Run.Status.STARTING: ("stop",),
    Run.Status.RUNNING: ("pause", "sample", "backup", "save", "stop"),
    Run.Status.PAUSED: ("continue", "sample", "backup", "save", "stop"),
    Run.Status.STOPPING: ("stop-now",),
}
KIND_OF = {"sample": "sample_default", "sample-custom": "sample_custom"}
NEEDS_NO_ENGINE = {"cancel", "stop-now", "start-now", "resume", "restart", "duplicate"}


def label_of(kind: str) -> str:
    """The label of the button for a command of this kind."""
    labels = {KIND_OF.get(verb, verb): action.label for verb, action in ACTIONS.items()}
    return str(labels.get(kind, kind))


def offered(run: Run) -> list[Action]:
    """The actions for the run's current state; an action that its engine cannot do has the reason."""
    if run.is_watched:
        return []
    verbs = OFFERED.get(run.status) if not run.is_ended else _after_the_end(run)
    if run.waits_to_go_on:
        verbs = ("start-now", "cancel")
    asked = set(run.commands.filter(status__in=RunCommand.OPEN).values_list("kind", flat=True))
    return [replace(_as_it_stands(run, verb), asked=KIND_OF.get(verb, verb) in asked) for verb in verbs or ()]


def _as_it_stands(run: Run, verb: str) -> Action:
    if verb == "stop-now" and not run.has_backup:
        return replace(ACTIONS[verb], confirm=_("The process is killed. It has no backup: all its progress is lost."))
    if verb != "resume":
        return replace(ACTIONS[verb], why_not=why_not(run, verb))
    backup = newest_backup(run)
    if backup is None:
        return replace(ACTIONS[verb], why_not=str(_("There is no backup to continue from.")))
    return replace(ACTIONS[verb], least_epochs=backup.epoch + 1 if needs_epochs(run, backup) else 0)


def _after_the_end(run: Run) -> tuple[str, ...]:
    return ("restart",) if run.status == Run.Status.CANCELLED else ("resume", "restart")


def with_ways_on(run: Run, most: int | None = None) -> list[Artifact]:
    """The run's files, newest first, each with its possible uses: `least_epochs`, `why_not_start`."""
    files = list(run.artifacts.order_by("-created_at")[:most])
    for one in files:
        one.least_epochs = one.epoch + 1 if needs_epochs(run, one) else 0  # type: ignore[attr-defined]
        one.why_not_start = why_not_start_from(run, one)  # type: ignore[attr-defined]
    return files


@dataclass(frozen=True)
class Drawing:
    """The form for custom samples of a run: why the run refuses them now, or empty."""

    why_not: str


def drawing_of(run: Run) -> Drawing | None:
    """None if the run does not train, or trains outside this site."""
    trains = run.status in (Run.Status.RUNNING, Run.Status.PAUSED) and not run.is_watched
    return Drawing(why_not(run, "sample-custom")) if trains else None


def why_not_drawn(run: Run) -> str:
    """Why custom samples of the run cannot be generated now, or empty."""
    if drawing := drawing_of(run):
        return drawing.why_not
    if run.is_watched:
        return str(_("The run was started outside this site: generate samples there."))
    if run.is_ended:
        return str(_("The run has ended, so its model is not loaded: continue it to generate more samples."))
    return str(_("The run is not training now: wait until it does."))


def why_not(run: Run, verb: str) -> str:
    """Why the run's engine would refuse this now, or empty."""
    return "" if verb in NEEDS_NO_ENGINE else refusal(run, KIND_OF.get(verb, verb))
