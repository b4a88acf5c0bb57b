"""TrainerService: the one door through which API, pages and admin start, steer and ask after trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import UnknownEngine, get_engine
from presets.config import configs
from presets.models import Preset, PresetVersion
from presets.preflight.requests import Checker, whole_check
from presets.preflight.waiting import check_and_wait
from training.live import publisher
from training.models import Artifact, Run, RunCommand, RunSummary
from training.progress.state import state_of
from training.queue.verbs import NOT_PLANNED, QueueVerbs
from training.runs import removal
from training.runs.continuing import backup_to_continue, epochs_to_train, start_from
from training.runs.refusals import refusal
from web.errors import BadInput, NotFound, NotNow

MAX_NAME = 200


class TrainerService(QueueVerbs):
    """What `user` does with runs. Where a run may be left out, the active one is meant.

    `check` gets a worker's answer about the config of a new run; web requests give one that holds no thread.
    """

    def __init__(self, user: Any = None, check: Checker = check_and_wait):
        self.user = user if user is not None and user.is_authenticated else None
        self.check = check

    # -- starting ----------------------------------------------------------------------------------------------

    def initialize_trainer(
        self,
        config: dict[str, Any] | None = None,
        *,
        preset: Preset | str | None = None,
        made_from: PresetVersion | None = None,
        overrides: dict[str, Any] | None = None,
        name: str = "",
        engine: str = "builtin",
        **facts: Any,
    ) -> Run:
        """Freeze defaults, preset, config and overrides into a queued run; raises BadInput by field.

        `made_from` is the version of a preset that `config` already holds, to be remembered. `facts` are further
        fields of the run: parent, priority, tags, notes, retries.
        """
        preset = self._preset(preset)
        frozen, memory = self._freeze(engine, preset.config if preset else {}, config or {}, overrides or {})
        if made_from is not None:
            preset = made_from.preset
        run = Run(
            name=(name or self._name_for(frozen, preset))[:MAX_NAME],
            engine=engine,
            config=frozen,
            preset=preset,
            preset_version=made_from or (preset.versions.first() if preset else None),
            owner=self.user,
            memory_estimate=memory,
            **facts,
        )
        run.retries_left = run.retries
        with self._place_in_queue():
            run.save(force_insert=True)
            run.progress.write(max_epoch=frozen.get("epochs") or 0)
            run.events.create(kind="created", data={"name": run.name}, user=self.user)
        return run

    def start_training(self, config: dict[str, Any] | None = None, **options: Any) -> Run:
        """Queue a run (see `initialize_trainer`) and tell everybody."""
        self._refuse_a_second()  # at once, and not only after the check
        run = self.initialize_trainer(config, **options)
        publisher.announce(run)
        return run

    @contextmanager
    def _place_in_queue(self) -> Iterator[None]:
        """A transaction that puts a run into the queue; where that is off, one start waits here for another's end."""
        with transaction.atomic():
            if not settings.QUEUE:
                ContentType.objects.select_for_update().get(app_label="training", model="run")  # a row always there
                self._refuse_a_second()
            yield

    def _refuse_a_second(self) -> None:
        """Where the queue is off, a start has to wait until nothing trains."""
        waiting = (Run.Status.QUEUED, *Run.ACTIVE)
        own = Run.objects.filter(status__in=waiting).exclude(pk__in=Run.objects.watched().values("pk"))
        if not settings.QUEUE and (run := own.first()):
            raise NotNow(
                _("“%(name)s” is %(status)s and the queue is off: stop it, or wait until it has ended.")
                % {"name": run.name, "status": run.get_status_display()}
            )

    def _preset(self, preset: Preset | str | None) -> Preset | None:
        if preset is None or isinstance(preset, Preset):
            return preset
        found = Preset.objects.listed().filter(name=preset).first()
        if found is None:
            raise NotFound(_("There is no preset named “%(name)s”: see /api/config/list.") % {"name": preset})
        return found

    def _freeze(self, engine: str, *layers: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The whole config, and the memory that it will take, where a worker checked it; raises BadInput."""
        for layer in layers:
            if not isinstance(layer, dict):
                raise BadInput(_("A config is a JSON object: send {...} with OneTrainer's field names."))
        partial = configs.merge(*layers)
        configs.give_time(engine)
        problems, preflight = whole_check(self.user, partial, engine, self.check)
        configs.refuse_errors(problems)
        memory = preflight.estimate.get("memory", {}) if preflight else {}
        return configs.freeze(engine, partial), memory

    def _name_for(self, config: dict[str, Any], preset: Preset | None) -> str:
        model = str(config.get("base_model_name", "")).rstrip("/").rpartition("/")[2]
        what = preset.name if preset else f"{config.get('training_method', '')} {model}".strip()
        return f"{what} {now():%Y-%m-%d %H:%M}"

    # -- steering ----------------------------------------------------------------------------------------------

    def stop_training(self, run: Run | None = None, at_once: bool = False) -> RunCommand | None:
        """End the run with a backup and its model; one that only waits is cancelled (None is returned then).

        `at_once` kills its process instead: what it did since its last backup is lost.
        """
        run = self._run(run)
        if run.status == Run.Status.QUEUED:
            self.cancel(run)
            return None
        return self._request(run, "stop", {"now": True} if at_once else {"final_model": True})

    def cancel(self, run: Run) -> None:
        """Take a waiting run out of the queue."""
        if run.status != Run.Status.QUEUED or not run.move_to(Run.Status.CANCELLED, by=self.user, **NOT_PLANNED):
            raise NotNow(
                _("Only a queued run can be cancelled: this one is %(status)s.") % {"status": run.get_status_display()}
            )
        publisher.announce(run)

    def start_now(self, run: Run) -> Run:
        """Have a run that goes on by itself later go on as soon as a worker is free."""
        waiting = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED, start_after__isnull=False)
        if not waiting.update(start_after=None):
            raise NotNow(
                _("This run does not wait for a moment: it is %(status)s.") % {"status": run.get_status_display()}
            )
        run.events.create(attempt=run.attempt, kind="asked_to_go_on_now", user=self.user)
        run.refresh_from_db()
        publisher.announce(run)
        return run

    def pause(self, run: Run | None = None) -> RunCommand:
        """Hold the run between two steps; the model stays loaded."""
        return self._request(self._run(run), "pause")

    def resume_training(self, run: Run | None = None) -> RunCommand:
        """Go on after a pause."""
        return self._request(self._run(run), "continue")

    def sample_default(self, run: Run | None = None) -> RunCommand:
        """Draw the run's own sample prompts now."""
        return self._request(self._run(run), "sample_default")

    def sample_custom(self, settings: dict[str, Any], run: Run | None = None) -> RunCommand:
        """Draw one picture with the given SampleConfig fields; raises BadInput by field."""
        run = self._run(run)
        settings = configs.sample_settings(settings, run.config)
        return self._request(run, "sample_custom", settings)

    def backup(self, run: Run | None = None) -> RunCommand:
        """Write a backup, from which the run can be continued."""
        return self._request(self._run(run), "backup")

    def save(self, run: Run | None = None) -> RunCommand:
        """Write the model as it is now."""
        return self._request(self._run(run), "save")

    def _run(self, run: Run | None) -> Run:
        run = run or Run.objects.current()
        if run is None:
            raise NotNow(_("Nothing is training: start a run first."))
        return run

    @transaction.atomic
    def _request(self, run: Run, kind: str, arguments: dict[str, Any] | None = None) -> RunCommand:
        """Write the wish down: the worker looks for such rows, so a click is never lost.

        The run is locked meanwhile: one that ends at this moment would leave the wish open for ever.
        """
        Run.objects.select_for_update().filter(pk=run.pk).first()
        run.refresh_from_db()
        if not run.is_active:
            raise NotNow(
                _("The run “%(name)s” is %(status)s, so nothing is training: start or continue a run first.")
                % {"name": run.name, "status": run.get_status_display()}
            )
        if run.is_watched:
            raise NotNow(_("“%(name)s” was started outside of this site: steer it there.") % {"name": run.name})
        if reason := refusal(run, kind):
            raise NotNow(reason)
        command = run.commands.create(attempt=run.attempt, kind=kind, arguments=arguments or {}, requested_by=self.user)
        if kind == "stop" and run.status != Run.Status.STOPPING:
            run.move_to(Run.Status.STOPPING, by=self.user)
        publisher.announce(run, command)
        return command

    # -- again -------------------------------------------------------------------------------------------------

    def continue_run(self, run: Run, backup: Artifact | None = None, epochs: int | None = None) -> Run:
        """Queue the same run again, from the chosen or its newest whole backup, as its next attempt.

        `epochs` is how many it shall have in all; one that has trained all that were planned needs more.
        """
        backup = backup_to_continue(run, backup)
        self._refuse_a_second()
        if run.is_from_elsewhere:
            self._refuse_what_would_not_train(run)
        epochs = epochs_to_train(run, backup, epochs)
        with self._place_in_queue():
            moved = run.move_to(
                Run.Status.QUEUED,
                by=self.user,
                detail=self._how_it_continues(run, backup, epochs),
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
        if not moved:
            raise NotNow(_("Someone else changed this run at the same moment: look at it again."))
        publisher.announce(run)
        return run

    def _how_it_continues(self, run: Run, backup: Artifact, epochs: int) -> str:
        sentence = _("to continue from the backup of step %(step)s") % {"step": backup.global_step}
        if epochs and epochs != run.config.get("epochs"):
            sentence += _(", with %(epochs)s epochs in all") % {"epochs": epochs}
        return sentence

    def _refuse_what_would_not_train(self, run: Run) -> None:
        """A config that was taken in was never checked here, and may name any file."""
        try:
            get_engine(run.engine)
        except UnknownEngine as error:
            raise NotNow(_("OneTrainer is not set up here: set ONETRAINER_HOME to its folder.")) from error
        configs.refuse_errors(configs.check_paths(run.config))

    def restart(self, run: Run, weights: Artifact | None = None) -> Run:
        """Train the same config afresh, as a new run; at step 0 too where it begins with the weights of an artifact."""
        if weights is None:
            return self.duplicate(run, name=run.name, weights_from=run.weights_from)
        overrides, backup = start_from(run, weights)
        step = _("from step %(step)s") % {"step": weights.global_step}
        name = f"{run.name[: MAX_NAME - 30]} ({step})"
        return self.duplicate(run, overrides, name, weights_from=backup)

    def duplicate(self, run: Run, overrides: dict[str, Any] | None = None, name: str = "", **facts: Any) -> Run:
        """Queue a new run with this one's config and the given changes."""
        return self.start_training(
            run.config,
            overrides=overrides,
            name=name or _("%(name)s (copy)") % {"name": run.name[: MAX_NAME - 10]},
            engine=run.engine,
            parent=run,
            tags=run.tags,
            retries=run.retries,
            **facts,
        )

    def edit_run(self, run: Run, changes: dict[str, Any]) -> Run:
        """Change name, notes, tags, priority or retries, and note it in the timeline; nothing else is written.

        `favourite` is each user's own affair, so that the timeline does not tell of it.
        """
        changes = dict(changes)
        if (favourite := changes.pop("favourite", None)) is not None:
            self._set_favourite(run, self.user, favourite)
        if changes:
            more = {"retries_left": changes["retries"]} if "retries" in changes else {}
            Run.objects.filter(pk=run.pk).update(**changes, **more)
            run.events.create(attempt=run.attempt, kind="edited", data=changes, user=self.user)
            run.refresh_from_db()
            RunSummary.objects.describe(run)
            publisher.announce(run)
        return run

    def _set_favourite(self, run: Run, user: Any, favourite: bool) -> None:
        if favourite:
            run.favourite_of.add(user)
        else:
            run.favourite_of.remove(user)

    def delete(self, run: Run, beat: Callable[[], object] = lambda: None) -> None:
        """Remove an ended run with all its files; `beat` is called again and again while that takes its time."""
        if not run.is_ended:
            raise NotNow(_("Only an ended run can be deleted: stop or cancel it first."))
        removal.delete_with_files(run, beat)

    def pin(self, artifact: Artifact, pinned: bool) -> Artifact:
        """Keep a backup, save or model whatever the policies say, or no longer."""
        removal.pin(artifact, pinned, by=self.user)
        return artifact

    def delete_artifact(self, artifact: Artifact) -> None:
        """Remove one backup, save or model; its row stays. Raises NotNow where it has to stay."""
        removal.remove_artifact(artifact, _("Removed by hand."), by=self.user)

    # -- asking ------------------------------------------------------------------------------------------------

    def get_state(self, run: Run | None = None) -> dict[str, Any]:
        """The single-trainer status of API.md, of the given or the active run."""
        return state_of(run or Run.objects.current())

    def get_config(self, run: Run | None = None) -> dict[str, Any]:
        """The frozen config of the given or the active run."""
        return self._run(run).config
