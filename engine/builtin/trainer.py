"""The built-in engine's trainer: check, load, train, save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.concepts import check_data
from engine.builtin.loop import Loop
from engine.builtin.saving.resume_state import restore
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.failures import explain
from engine.builtin.training.session import Session
from engine.builtin.training.setup import SessionMaker
from engine.builtin.training.stops import stop_parts
from engine.interface.callbacks import TrainCallbacks
from engine.interface.commands import TrainCommands
from engine.interface.errors import BadConfig, BadData
from engine.interface.files import PARTIAL, remove, remove_leftovers
from engine.paths.here import may_clear


class GenericTrainer:
    """Trains a config; call `start()`, `train()`, `end()`, in one thread.

    Expected failures are raised as TrainingError with a sentence for the user.
    """

    def __init__(
        self,
        config: TrainConfig,
        callbacks: TrainCallbacks,
        commands: TrainCommands,
        resume_from: str | Path | None = None,
        keep_backups: int | None = None,
        weights_from: str | Path | None = None,
    ) -> None:
        self.config = config
        self.callbacks = callbacks
        self.commands = commands
        self.resume_from = Path(resume_from) if resume_from else None
        self.keep_backups = keep_backups
        self.weights_from = Path(weights_from) if weights_from else None
        self.announcer = Announcer(callbacks)
        self.failed = False
        self._loop: Loop | None = None

    @property
    def loop(self) -> Loop:
        """Available after `start()`, because it holds the loaded model."""
        if self._loop is None:
            raise RuntimeError("The training has not started: call start() first.")
        return self._loop

    @property
    def session(self) -> Session:
        return self.loop.session

    def start(self) -> None:
        """Check config and data, load the model, and restore the backup to resume from, if there is one."""
        with self._failures_explained():
            self._refuse_bad_input()
            self._remove_leftovers()
            session = self._make_session()
            notices = restore(session, self.resume_from) if self.resume_from else []
            stop_parts(session)
            self._loop = Loop(session, self.announcer, self.commands, self.keep_backups)
            self._loop.say_what_will_be_trained(notices)

    def train(self) -> None:
        """Train the remaining epochs; ends early after a step in which a stop was requested."""
        with self._failures_explained():
            self.loop.run()

    def end(self) -> None:
        """Back up if the config says so, and write the final model. After a failure nothing is written."""
        if self.failed:
            return
        with self._failures_explained():
            self.loop.finish()

    def _refuse_bad_input(self) -> None:
        settings = self.config.to_dict()
        if self.resume_from:
            settings["prevent_overwrites"] = False  # this run's own file is at the destination, and is kept
        problems = check(settings)
        for problem in problems:
            if not problem.is_error:
                self.callbacks.on_warning(f"{problem.field}: {problem.message}")
        if errors := [problem for problem in problems if problem.is_error]:
            raise BadConfig(errors)
        if broken := [problem for problem in check_data(self.config) if problem.is_error]:
            raise BadData(broken)

    def _remove_leftovers(self) -> None:
        """Remove the half-written files of a killed attempt."""
        final = Path(self.config.output_model_destination)
        if may_clear(final):
            remove(final.with_name(final.name + PARTIAL))
        remove_leftovers(Path(self.config.workspace_dir))

    def _make_session(self) -> Session:
        return SessionMaker(self.config, self.announcer, self.commands, self.resume_from, self.weights_from).make()

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failed = True
            if known := explain(error, self.config):
                raise known from error
            raise
