"""The buttons of a run's page: which are offered in which state, and what each asks the service for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from engine.engines import UnknownEngine, get_engine
from presets.errors import BadInput, NotFound
from training.models import Run
from training.service import TrainerService

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
    why_not: str = ""  # shown in place of what it would do


def _continue_from(service: TrainerService, run: Run, data: Data) -> None:
    """From the chosen backup, or the newest."""
    backup = None
    if chosen := data.get("backup"):
        backup = next((one for one in run.artifacts.all() if str(one.pk) == chosen), None)
        if backup is None:
            raise NotFound(str(_("This run has no such backup: choose one from its list.")))
    service.continue_run(run, backup)


def _sample_custom(service: TrainerService, run: Run, data: Data) -> None:
    given: dict[str, Any] = {"prompt": data.get("prompt", ""), "negative_prompt": data.get("negative_prompt", "")}
    errors: dict[str, list[str]] = {}
    for field, number in (
        ("width", int),
        ("height", int),
        ("diffusion_steps", int),
        ("seed", int),
        ("cfg_scale", float),
    ):
        if text := data.get(field, "").strip():
            try:
                given[field] = number(text)
            except ValueError:
                errors[field] = [str(_("Enter a number."))]
    if data.get("seed", "").strip() == "":
        given["random_seed"] = True
    if errors:
        field = next(iter(errors))
        raise BadInput(f"{field.replace('_', ' ')}: {errors[field][0]}", errors)
    service.sample_custom(given, run)


ACTIONS = {
    action.verb: action
    for action in (
        Action("pause", _("Pause"), "player-pause", _("The run will pause after its present step."),
               lambda service, run, data: service.pause(run)),
        Action("continue", _("Continue"), "player-play", _("The run will go on."),
               lambda service, run, data: service.resume_training(run), "primary"),
        Action("sample", _("Sample"), "photo-plus", _("Samples of all prompts will be drawn after the present step."),
               lambda service, run, data: service.sample_default(run)),
        Action("backup", _("Backup"), "archive", _("A backup will be written after the present step."),
               lambda service, run, data: service.backup(run)),
        Action("save", _("Save"), "device-floppy", _("The model will be saved after the present step."),
               lambda service, run, data: service.save(run)),
        Action("stop", _("Stop"), "player-stop", _("The run will stop after its present step, and keep its model."),
               lambda service, run, data: service.stop_training(run), "danger"),
        Action("cancel", _("Cancel"), "x", _("The run was taken out of the queue."),
               lambda service, run, data: service.cancel(run), "danger"),
        Action("resume", _("Continue from backup"), "player-track-next",
               _("The run waits in the queue to be continued."), _continue_from, "primary"),
        Action("restart", _("Start again"), "refresh", _("A new run with the same config waits in the queue."),
               lambda service, run, data: service.restart(run), "", True),
        Action("duplicate", _("Duplicate"), "copy", _("A copy of the run waits in the queue."),
               lambda service, run, data: service.duplicate(run), "", True),
        Action("sample-custom", _("Draw"), "photo-plus", _("Your sample will be drawn after the present step."),
               _sample_custom, "primary"),
    )
}  # fmt: skip

OFFERED: dict[str, tuple[str, ...]] = {
    Run.Status.QUEUED: ("cancel",),
    Run.Status.STARTING: ("stop",),
    Run.Status.RUNNING: ("pause", "sample", "backup", "save", "stop"),
    Run.Status.PAUSED: ("continue", "sample", "backup", "save", "stop"),
    Run.Status.STOPPING: (),
}
KIND_OF = {"sample": "sample_default", "sample-custom": "sample_custom"}
NEEDS_NO_ENGINE = {"cancel", "resume", "restart", "duplicate"}


def offered(run: Run) -> list[Action]:
    """What can be asked of the run as it stands now; what its engine cannot do is there with the reason."""
    if run.is_watched:
        return []
    verbs = OFFERED.get(run.status) if not run.is_ended else _after_the_end(run)
    return [replace(ACTIONS[verb], why_not=why_not(run, verb)) for verb in verbs or ()]


def _after_the_end(run: Run) -> tuple[str, ...]:
    """One that came to its end has nothing to go on with; the list of its backups still offers each of them."""
    can_go_on = run.status != Run.Status.FINISHED and run.newest_backup() is not None
    return ("resume", "restart") if can_go_on else ("restart",)


def can_draw(run: Run) -> bool:
    """Whether a sample of one's own can be asked for now."""
    trains = run.status in (Run.Status.RUNNING, Run.Status.PAUSED) and not run.is_watched
    return trains and not why_not(run, "sample-custom")


def why_not(run: Run, verb: str) -> str:
    """Why the run's engine would refuse this now; empty where it would not."""
    if verb in NEEDS_NO_ENGINE:
        return ""
    try:
        engine = get_engine(run.engine)
    except UnknownEngine as error:
        return str(error)
    return engine.why_not(KIND_OF.get(verb, verb), run.config, run.status == Run.Status.PAUSED)
