"""The training loop: steps, and between two steps the due actions and the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing

from engine.builtin.command_handler import CommandHandler
from engine.builtin.data.encodings import Batch
from engine.builtin.saving.keeper import Keeper
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.failures import try_to_write
from engine.builtin.training.intervals import DueActions, Interval
from engine.builtin.training.loss_log import LossLog
from engine.builtin.training.sampling import Sampler
from engine.builtin.training.session import Session
from engine.builtin.training.steps import add_gradient, update_weights
from engine.interface.commands import TrainCommands
from engine.interface.errors import BadData


class Loop:
    """Goes through the remaining epochs of a session, and saves the trained weights."""

    def __init__(
        self, session: Session, announcer: Announcer, commands: TrainCommands, keep_backups: int | None
    ) -> None:
        self.session = session
        self.announcer = announcer
        self.callbacks = announcer.callbacks
        self.commands = commands
        self.log = LossLog(session, self.callbacks)
        self.keeper = Keeper(session, self.log, announcer, keep_backups)
        self.sampler = Sampler(session, self.log, announcer, commands)
        self.handler = CommandHandler(session, commands, announcer, self.log, self.keeper, self.sampler)
        self.regular = DueActions(self._actions())

    def _actions(self) -> list[tuple[Interval, Callable[[], object]]]:
        config = self.session.config
        self.sampling = sampling = Interval(config.sample_after, config.sample_after_unit, config.sample_skip_first)
        saving = Interval(config.save_every, config.save_every_unit, config.save_skip_first)
        return [
            (Interval(config.backup_after, config.backup_after_unit), self.keeper.back_up),
            (sampling, self.sampler.draw_default),
            (saving, self.keeper.save),
        ]

    def say_what_will_be_trained(self, notices: Iterable[str]) -> None:
        """Report where a resumed training continues, and steps without effect. Raises BadData if no weight changes."""
        session = self.session
        if self.commands.stop_requested:
            return
        for notice in notices:
            self.callbacks.on_warning(notice)
        if session.progress.global_step:
            self._report_progress()
        in_all, accumulation = session.accumulated + session.steps_to_come, session.config.gradient_accumulation_steps
        if not (session.optimizer_steps or session.updates_to_come) and in_all:
            raise BadData(
                f"The weights would never change: {in_all} batches in all are fewer than "
                f"gradient_accumulation_steps ({accumulation}); lower it, or raise epochs."
            )
        if not session.steps_to_come and session.optimizer_steps:
            self.callbacks.on_warning("All epochs were trained before the backup: only the model is written.")
        elif unused := session.unused_steps:
            self.callbacks.on_warning(
                f"The last {unused} steps of the run fill no accumulation of {accumulation}, so they do not change the "
                "weights: choose gradient_accumulation_steps that divide the steps of the run to use them."
            )

    def run(self) -> None:
        """Train the remaining epochs; ends early after a step in which a stop was requested."""
        if self.sampling.begins_at_zero and not self.session.progress.global_step:
            self._report_progress()  # so that the length of the run is known while it samples
            self.sampler.draw_default()  # the base line, which a resumed training has already
        self.log.go_on()
        updates = self.session.optimizer_steps + self.session.updates_to_come
        for epoch in range(self.session.progress.epoch, self.session.config.epochs):
            if self.commands.stop_requested or self._ends_early():
                break
            self.callbacks.on_update_status("Starting epoch/caching")
            self._train_epoch(epoch)
        self.log.flush()
        self._refuse_missing_updates(updates)
        self._refuse_void_losses()

    def _refuse_void_losses(self) -> None:
        """A training whose every loss was 0 has learned nothing, whatever made it 0. Raises BadData."""
        if self.log.is_void and not self.commands.stop_requested:
            raise BadData(
                "The loss was exactly 0 in every step, so nothing was trained: check the masks and unmasked_weight, "
                "the weights of the losses (loss_weight_fn, loss_weight_strength), and the concepts' loss_weight."
            )

    def _refuse_missing_updates(self, expected: int) -> None:
        """A training that makes fewer updates than its data allow must not look finished. Raises BadData."""
        session = self.session
        if self.commands.stop_requested or session.is_stopped:
            return
        if session.optimizer_steps < expected:
            raise BadData(
                f"Only {session.optimizer_steps} of {expected} updates of the weights were made, although no stop was "
                f"requested: the data gave fewer batches than the {len(session.loader)} of an epoch. Check the "
                "concepts' folders, then continue from the newest backup."
            )

    def _ends_early(self) -> bool:
        """True if no part is left to train."""
        if self.session.is_stopped:
            step = self.session.progress.global_step
            message = f"The run ends at step {step}, because stop_training_after ended the training of every part."
            self.callbacks.on_warning(f"{message} Raise it to train longer.")
        return self.session.is_stopped

    def _train_epoch(self, epoch: int) -> None:
        with closing(self.session.loader.epoch(epoch, self.session.progress.epoch_step)) as batches:
            for batch in batches:
                self.announcer.say("Training ...", "training")
                self._step(batch)
                self._count(batch)
                self._act_between_steps()
                if self.commands.stop_requested or self.session.is_stopped:
                    return

    def _step(self, batch: Batch) -> None:
        self.log.take(add_gradient(self.session, batch))
        if self.session.ends_accumulation:
            update_weights(self.session)

    def _count(self, batch: Batch) -> None:
        progress, steps = self.session.progress, len(self.session.loader)
        progress.next_step(len(batch))
        if progress.epoch_step == steps:
            progress.next_epoch()
        self._report_progress()

    def _report_progress(self) -> None:
        session = self.session
        self.callbacks.on_update_train_progress(session.progress, len(session.loader), session.config.epochs)

    def _act_between_steps(self) -> None:
        """Do the due actions and carry out commands; within an accumulation both wait for its end, as in OneTrainer."""
        self.regular.look(self.session.progress)
        if self.session.holds_gradient:
            return
        for action in self.regular.take():
            try_to_write(action, self.callbacks.on_warning)
        self.handler.obey_all()

    def finish(self) -> None:
        """Back up if the config says so, and write the final model. Raises BadData if nothing was trained."""
        stop = self.commands.stop_requested
        if self.session.optimizer_steps:
            self.keeper.keep_what_was_trained(stop)
        elif stop is None:
            raise BadData("No step was trained, so there is no model to save: raise epochs.")
        self.handler.confirm_stops()
