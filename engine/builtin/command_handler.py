"""A training's answers to commands: sample, back up, save, pause, stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from engine.builtin.config.train_config import SampleConfig
from engine.builtin.saving.keeper import Keeper
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.loss_log import LossLog
from engine.builtin.training.sampling import Sampler
from engine.builtin.training.session import Session
from engine.interface.commands import Command, TrainCommands
from engine.interface.errors import NotFinite

logger = logging.getLogger("engine")


@dataclass
class CommandHandler:
    """Carries out commands between two steps, and reports each as done or refused."""

    session: Session
    commands: TrainCommands
    announcer: Announcer
    log: LossLog
    keeper: Keeper
    sampler: Sampler

    def obey_all(self) -> None:
        for command in self.commands.take():
            self._obey(command)

    def confirm_stops(self) -> None:
        """At the end of the training; other commands came too late."""
        for command in self.commands.take():
            if command.kind == "stop":
                self._obey(command)

    def _obey(self, command: Command) -> None:
        try:
            detail = self._actions()[command.kind](command)
        except NotFinite:
            raise  # the weights are broken; any other failure of a command does not end the run
        except Exception as error:
            logger.exception("The command %s failed.", command.kind)
            self.announcer.callbacks.on_command_refused(command, f"The command failed: {error}")
            return
        if detail is not None:
            self._confirm(command, detail)

    def _actions(self) -> dict[str, Callable[[Command], str | None]]:
        """The action of each kind; it returns the detail to confirm with, or None if it has confirmed already."""
        return {
            "sample_default": lambda _: self._sampled(self._draw_default()),
            "sample_custom": lambda command: self._sampled(self._draw_custom(command)),
            "backup": lambda _: self.keeper.back_up(),
            "save": lambda _: self.keeper.save(),
            "pause": self._pause,
            "continue": lambda _: "The run was not paused.",
            "stop": lambda _: f"Stopped after step {self.session.progress.global_step}.",
        }

    def _confirm(self, command: Command, detail: str) -> None:
        self.announcer.callbacks.on_command_done(command, detail)

    def _draw_default(self) -> list[str]:
        failures = self.sampler.draw_default()
        return failures if failures or self.sampler.has_default() else ["Enable a sample in the config first."]

    def _draw_custom(self, command: Command) -> list[str]:
        return self.sampler.draw_custom(SampleConfig.from_dict(command.arguments), command.id)

    def _sampled(self, failures: list[str]) -> str:
        if failures:
            raise RuntimeError(" ".join(failures))
        return f"Generated at step {self.session.progress.global_step}."

    # -- pause -------------------------------------------------------------------------------------------------

    def _pause(self, command: Command) -> None:
        """Wait between two steps with the model loaded; every other command still works."""
        self.log.flush()
        self.announcer.say("Paused", "paused")
        self._confirm(command, f"Paused after step {self.session.progress.global_step}.")
        while not self.commands.stop_requested:
            self.commands.wait()
            for other in self.commands.take():
                if self._ends_pause(other):
                    self.log.go_on()
                    return

    def _ends_pause(self, command: Command) -> bool:
        """Carry out a command that came during a pause; return True if the training continues."""
        if command.kind == "continue":
            self._confirm(command, "Training continues.")
            return True
        if command.kind == "pause":
            self._confirm(command, "The run was already paused.")
            return False
        self._obey(command)
        if not self.commands.stop_requested:
            self.announcer.say("Paused", "paused")
        return False
