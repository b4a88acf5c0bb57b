"""The buttons of a run's page: which are offered in which state, and what each asks the service for."""

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
from web.errors import BadInput, NotFound

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
    confirm: Any = ""  # what is lost by it, for an action that asks once more
    least_epochs: int = 0  # that have to be asked for, where all that were planned are trained
    why_not: str = ""  # shown in place of what it would do
    asked: bool = False  # it was asked for, and has not been done yet


def _again(service: TrainerService) -> Continuation:
    return Continuation(service.user, service.check)


def _continue_from(service: TrainerService, run: Run, data: Data) -> None:
    """From the chosen backup, or the newest."""
    epochs = data.get("epochs", "").strip()
    if epochs and not (epochs.isdecimal() and len(epochs) < 10):
        raise BadInput(str(_("Enter the number of epochs.")), {"epochs": [str(_("Enter a number."))]})
    _again(service).continue_run(run, _artifact(run, data.get("backup")), int(epochs) if epochs else None)


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
        raise NotFound(str(_("This run has no such file: choose one from its list.")))
    return found


def _sample_custom(service: TrainerService, run: Run, data: Data) -> None:
    """All that the form asks for, or nothing where one of them is refused."""
    with transaction.atomic():
        for settings in draws.wanted(data):
            service.sample_custom(settings, run)


ACTIONS = {
    action.verb: action
    for action in (
        Action("pause", _("Pause"), "player-pause", _("The run will pause after its present step."),
               lambda service, run, data: Commands(service.user).pause(run)),
        Action("continue", _("Continue"), "player-play", _("The run will go on."),
               lambda service, run, data: Commands(service.user).resume_training(run), "primary"),
        Action("sample", _("Sample"), "photo-plus", _("Samples of all prompts will be generated after this step."),
               lambda service, run, data: service.sample_default(run)),
        Action("backup", _("Backup"), "archive", _("A backup will be written after the present step."),
               lambda service, run, data: service.backup(run)),
        Action("save", _("Save"), "device-floppy", _("The model will be saved after the present step."),
               lambda service, run, data: service.save(run)),
        Action("stop", _("Stop"), "player-stop", _("The run will stop after its present step, and keep its model."),
               lambda service, run, data: service.stop_training(run), "danger"),
        Action("stop-now", _("Stop at once"), "player-stop", _("Its process is killed."),
               lambda service, run, data: service.stop_training(run, at_once=True), "danger",
               confirm=_("Its process is killed, without a backup: what it did since the last one is lost.")),
        Action("start-now", _("Go on now"), "player-play", _("The run goes on as soon as a worker is free."),
               lambda service, run, data: QueueService(service.user).start_now(run), "primary"),
        Action("cancel", _("Cancel"), "x", _("The run was taken out of the queue."),
               lambda service, run, data: QueueService(service.user).cancel(run), "danger"),
        Action("resume", _("Continue from backup"), "player-track-next",
               _("The run waits in the queue to be continued."), _continue_from, "primary"),
        Action("restart", _("Start again"), "refresh", _("A new run with the same config waits in the queue."),
               lambda service, run, data: _again(service).restart(run, _artifact(run, data.get("weights"))), "", True),
        Action("duplicate", _("Duplicate"), "copy", _("A copy of the run waits in the queue."),
               lambda service, run, data: _again(service).duplicate(run), "", True),
        Action("retries", _("Change"), "repeat", _("It goes on by itself so often."), _change_retries),
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
    """What the button is called that asks for such a command."""
    labels = {KIND_OF.get(verb, verb): action.label for verb, action in ACTIONS.items()}
    return str(labels.get(kind, kind))


def offered(run: Run) -> list[Action]:
    """What can be asked of the run as it stands now; what its engine cannot do is there with the reason."""
    if run.is_watched:
        return []
    verbs = OFFERED.get(run.status) if not run.is_ended else _after_the_end(run)
    if run.waits_to_go_on:
        verbs = ("start-now", "cancel")
    asked = set(run.commands.filter(status__in=RunCommand.OPEN).values_list("kind", flat=True))
    return [replace(_as_it_stands(run, verb), asked=KIND_OF.get(verb, verb) in asked) for verb in verbs or ()]


def _as_it_stands(run: Run, verb: str) -> Action:
    if verb != "resume":
        return replace(ACTIONS[verb], why_not=why_not(run, verb))
    backup = newest_backup(run)
    if backup is None:
        return replace(ACTIONS[verb], why_not=str(_("It has left no backup to continue from.")))
    return replace(ACTIONS[verb], least_epochs=backup.epoch + 1 if needs_epochs(run, backup) else 0)


def _after_the_end(run: Run) -> tuple[str, ...]:
    return ("restart",) if run.status == Run.Status.CANCELLED else ("resume", "restart")


def with_ways_on(run: Run, most: int | None = None) -> list[Artifact]:
    """The run's files, newest first, each with what can be done with it: `least_epochs`, `why_not_start`."""
    files = list(run.artifacts.order_by("-created_at")[:most])
    for one in files:
        one.least_epochs = one.epoch + 1 if needs_epochs(run, one) else 0  # type: ignore[attr-defined]
        one.why_not_start = why_not_start_from(run, one)  # type: ignore[attr-defined]
    return files


@dataclass(frozen=True)
class Drawing:
    """Whether samples of one's own are drawn of this run, and why not now; empty where one can be asked for."""

    why_not: str


def drawing_of(run: Run) -> Drawing | None:
    """None where there is nothing to ask: the run does not train, or not here."""
    trains = run.status in (Run.Status.RUNNING, Run.Status.PAUSED) and not run.is_watched
    return Drawing(why_not(run, "sample-custom")) if trains else None


def why_not_drawn(run: Run) -> str:
    """Why no samples of one's own are drawn of the run now; empty where one can be asked for."""
    if drawing := drawing_of(run):
        return drawing.why_not
    if run.is_watched:
        return str(_("It was started outside of this site: have it drawn there."))
    if run.is_ended:
        return str(_("The run has ended, so its model is not loaded: continue it to draw more."))
    return str(_("The run is not training at this moment: wait until it does."))


def why_not(run: Run, verb: str) -> str:
    """Why the run's engine would refuse this now; empty where it would not."""
    return "" if verb in NEEDS_NO_ENGINE else refusal(run, KIND_OF.get(verb, verb))
