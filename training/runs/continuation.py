"""Continuing a run from a backup, and starting new runs with its config or its weights."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import UnknownEngine, get_engine
from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from presets.config import configs, whole
from presets.config.named_paths import Reads
from presets.config.paths import check_paths
from presets.preflight.requests import Checker, changes_since_backup
from presets.preflight.waiting import check_and_wait
from training.live import publisher
from training.models import Artifact, Run
from training.progress.endings import keeps_place
from training.queue.acting import ForUser
from training.queue.places import place_in_queue, put_first, refuse_a_second
from training.runs.service import MAX_NAME, TrainerService
from training.runs.starting_points import backup_to_continue, epochs_to_train, start_from
from web.errors import NotNow


class Continuation(ForUser):
    """Puts runs into the queue again; `check` is as in TrainerService."""

    def __init__(self, user: User | AnonymousUser | None = None, check: Checker = check_and_wait) -> None:
        super().__init__(user)
        self.check = check

    def changes_of_data(self, run: Run, backup: Artifact | None = None, epochs: int | None = None) -> list[str]:
        """How the run would continue because its data changed since the backup, in sentences; as far as is known."""
        backup = backup_to_continue(run, backup)
        epochs = epochs_to_train(run, backup, epochs)
        config = run.config | ({"epochs": epochs} if epochs else {})
        return changes_since_backup(self.user, config, run.engine, backup.path, self.check)

    def continue_run(self, run: Run, backup: Artifact | None = None, epochs: int | None = None) -> Run:
        """Queue the same run again, from the chosen or its newest whole backup, as its next attempt.

        `epochs` is the new total; a run that has trained all planned epochs needs more.
        """
        backup = backup_to_continue(run, backup)
        refuse_a_second()
        if run.is_from_elsewhere:
            _refuse_what_would_not_train(run)
        epochs = epochs_to_train(run, backup, epochs)
        goes_first = keeps_place(run.error_reason)
        with place_in_queue():
            moved = run.move_to(
                Run.Status.QUEUED,
                by=self.user,
                detail=_how_it_continues(run, backup, epochs),
                config=run.config | ({"epochs": epochs} if epochs else {}),
                progress={"max_epoch": epochs or run.progress.max_epoch},
                resume_from=backup.path,
                queued_at=now(),
                retries_left=run.retries,
                start_after=None,
                ended_at=None,
                error="",
                error_reason="",
                traceback="",
                log_tail="",
            )
            if moved and goes_first:
                put_first(run)
        if not moved:
            raise NotNow(_("Someone else changed this run at the same time: reload and try again."))
        publisher.announce(run)
        return run

    def restart(self, run: Run, weights: Artifact | None = None) -> Run:
        """Train the same config in a new run from step 0, from the base model or the weights of an artifact."""
        if weights is None:
            return self.duplicate(run, name=run.name, weights_from=run.weights_from)
        overrides, backup = start_from(run, weights)
        step = _("from step %(step)s") % {"step": weights.global_step}
        name = f"{run.name[: MAX_NAME - 30]} ({step})"
        return self.duplicate(run, overrides, name, weights_from=backup)

    def duplicate(self, run: Run, overrides: JsonObject | None = None, name: str = "", **facts: Any) -> Run:
        """Queue a new run with this one's config and the given changes."""
        return TrainerService(self.user, self.check).start_training(
            whole.compact(run.engine, run.config),
            overrides=overrides,
            name=name or _("%(name)s (copy)") % {"name": run.name[: MAX_NAME - 10]},
            engine=run.engine,
            parent=run,
            tags=run.tags,
            retries=run.retries,
            **facts,
        )


def _how_it_continues(run: Run, backup: Artifact, epochs: int) -> str:
    sentence = _("to continue from the backup of step %(step)s") % {"step": backup.global_step}
    if epochs and epochs != keys_of(run.config).get("epochs"):
        sentence += _(", with %(epochs)s epochs in total") % {"epochs": epochs}
    return sentence


def _refuse_what_would_not_train(run: Run) -> None:
    """An imported config was never checked on this site, and may name any file."""
    try:
        engine = get_engine(run.engine)
    except UnknownEngine as error:
        raise NotNow(_("OneTrainer is not set up here: set ONETRAINER_HOME to its folder.")) from error
    configs.refuse_errors(check_paths(run.config, Reads.of(engine.name)))
