"""TrainerService: API, pages and admin start a training, control it and read its state through it.

The queue, commands, continuation, notes and removal are services or functions of their own.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from presets.config import configs, whole
from presets.config.intake import take_in
from presets.config.named_paths import Reads
from presets.config.paths import checked_paths
from presets.models import Preflight, Preset, PresetVersion
from presets.preflight.requests import Checker, unanswered, whole_check
from presets.preflight.waiting import check_and_wait
from training.live import publisher
from training.models import Run, RunCommand
from training.progress.state import state_of
from training.queue.acting import ForUser
from training.queue.places import place_in_queue, refuse_a_second
from training.queue.service import QueueService
from training.runs.commands import Commands
from web.errors import BadInput, NotFound, NotNow

MAX_NAME = 200


class TrainerService(ForUser):
    """The nine verbs of the single-trainer contract. A verb without a run means the active run.

    `check` gets a worker's answer about the config of a new run; web requests pass a check that holds no thread.
    """

    def __init__(self, user: User | AnonymousUser | None = None, check: Checker = check_and_wait) -> None:
        super().__init__(user)
        self.check = check

    # -- starting ----------------------------------------------------------------------------------------------

    def initialize_trainer(
        self,
        config: JsonObject | None = None,
        *,
        preset: Preset | str | None = None,
        made_from: PresetVersion | None = None,
        overrides: JsonObject | None = None,
        name: str = "",
        engine: str = "builtin",
        **facts: Any,
    ) -> Run:
        """Freeze defaults, preset, config and overrides into a queued run; raises BadInput by field.

        `made_from` is the version of the preset that `config` was made from, to be stored. `facts` are other fields of
        the run: parent, priority, tags, notes, retries.
        """
        preset = self._preset(preset)
        frozen, check = self._freeze(engine, preset.config if preset else {}, config or {}, overrides or {})
        if made_from is not None:
            preset = made_from.preset
        run = Run(
            name=(name or self._name_for(frozen, preset))[:MAX_NAME],
            engine=engine,
            config=frozen,
            preset=preset,
            preset_version=made_from or (preset.versions.first() if preset else None),
            owner=self.user,
            checked_paths=checked_paths(frozen, Reads.of(engine)),
            memory_estimate=check.estimate.get("memory", {}) if check else {},
            **facts,
        )
        run.retries_left = run.retries
        with place_in_queue():
            run.save(force_insert=True)
            run.progress.write(max_epoch=frozen.get("epochs") or 0)
            run.events.create(kind="created", data={"name": run.name}, user=self.user)
            if check and (why := unanswered(check)):
                run.events.create(kind="warning", data={"message": f"The run was queued without a check. {why}"})
        return run

    def start_training(self, config: JsonObject | None = None, **options: Any) -> Run:
        """Queue a run (see `initialize_trainer`) and notify all clients."""
        refuse_a_second()  # before the check, which takes a while
        run = self.initialize_trainer(config, **options)
        publisher.announce(run)
        return run

    def _preset(self, preset: Preset | str | None) -> Preset | None:
        if preset is None or isinstance(preset, Preset):
            return preset
        found = Preset.objects.listed().filter(name=preset).first()
        if found is None:
            raise NotFound(_("There is no preset “%(name)s”: see /api/config/list.") % {"name": preset})
        return found

    def _freeze(self, engine: str, *layers: JsonObject) -> tuple[JsonObject, Preflight | None]:
        """The complete config, and the worker's check if a worker was asked; raises BadInput."""
        for layer in layers:
            if not isinstance(layer, dict):
                raise BadInput(_("A config is a JSON object: send {...} with OneTrainer's field names."))
        partial = configs.merge(*(take_in(layer).config for layer in layers))
        configs.give_time(engine)
        problems, preflight = whole_check(self.user, partial, engine, self.check)
        configs.refuse_errors(problems)
        return whole.of_new_run(engine, partial), preflight

    def _name_for(self, config: JsonObject, preset: Preset | None) -> str:
        model = str(keys_of(config).get("base_model_name", "")).rstrip("/").rpartition("/")[2]
        what = preset.name if preset else f"{config.get('training_method', '')} {model}".strip()
        return f"{what} {now():%Y-%m-%d %H:%M}"

    # -- control -----------------------------------------------------------------------------------------------

    def stop_training(self, run: Run | None = None, at_once: bool = False) -> RunCommand | None:
        """End the run with a backup and its model; a queued run is cancelled (then None is returned).

        `at_once` kills its process instead: all progress after its last backup is lost.
        """
        run = self._run(run)
        if run.status == Run.Status.QUEUED:
            QueueService(self.user).cancel(run)
            return None
        return Commands(self.user).request(run, "stop", {"now": True} if at_once else {"final_model": True})

    def sample_default(self, run: Run | None = None) -> RunCommand:
        """Generate samples of the run's own prompts now."""
        return Commands(self.user).request(self._run(run), "sample_default")

    def sample_custom(self, settings: JsonObject, run: Run | None = None) -> RunCommand:
        """Generate one picture with the given SampleConfig fields; raises BadInput by field."""
        run = self._run(run)
        settings = configs.sample_settings(settings, run.config)
        return Commands(self.user).request(run, "sample_custom", settings)

    def backup(self, run: Run | None = None) -> RunCommand:
        """Write a backup that the run can be continued from."""
        return Commands(self.user).request(self._run(run), "backup")

    def save(self, run: Run | None = None) -> RunCommand:
        """Save the model in its current state."""
        return Commands(self.user).request(self._run(run), "save")

    def _run(self, run: Run | None) -> Run:
        run = run or Run.objects.current()
        if run is None:
            raise NotNow(_("No run is training: start a run first."))
        return run

    # -- reading -----------------------------------------------------------------------------------------------

    def get_state(self, run: Run | None = None) -> JsonObject:
        """The single-trainer status of API.md, of the given or the active run."""
        return state_of(run or Run.objects.current())

    def get_config(self, run: Run | None = None) -> JsonObject:
        """The frozen config of the given or the active run."""
        return self._run(run).config
