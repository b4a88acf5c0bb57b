"""The training itself: load, cache, step, sample. What is kept of it is in keeping.py, its losses in loss_log.py."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.nn import Parameter

from engine.builtin.config.enums import EMAMode, TrainingMethod
from engine.builtin.config.lists import load_samples
from engine.builtin.config.support import check
from engine.builtin.config.train_config import SampleConfig, TrainConfig
from engine.builtin.data.concepts import check_data
from engine.builtin.data.loader import Batch, BatchLoader
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.loading import load_family
from engine.builtin.families.lora import add_lora, load_lora, lora_parameters
from engine.builtin.families.precision import autocast, choose_device, computing_dtype, peak_memory
from engine.builtin.saving.keeper import Keeper
from engine.builtin.saving.state import restore, take_weights
from engine.builtin.training.ema import MovingAverage
from engine.builtin.training.failures import explain
from engine.builtin.training.intervals import Interval
from engine.builtin.training.loss_log import LossLog
from engine.builtin.training.losses import batch_loss
from engine.builtin.training.optimizers import make_optimizer, make_schedule
from engine.builtin.training.sampling import Sampler
from engine.interface.callbacks import TrainCallbacks
from engine.interface.commands import Command, TrainCommands
from engine.interface.errors import BadConfig, BadData, DiskFull, NotFinite, NotWritten
from engine.interface.files import PARTIAL, remove, remove_leftovers
from engine.interface.progress import TrainProgress

logger = logging.getLogger("engine")
NOT_WRITTEN = (DiskFull, NotWritten, OSError, SafetensorError)


class GenericTrainer:
    """Trains what the config says; call `start()`, `train()`, `end()`, in one thread.

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
    ):
        self.config = config
        self.callbacks = callbacks
        self.commands = commands
        self.resume_from = Path(resume_from) if resume_from else None
        self.weights_from = Path(weights_from) if weights_from else None
        self.progress = TrainProgress()
        self.optimizer_steps = 0
        self.failed = False
        self.log = LossLog(self)
        self.keeper = Keeper(self, keep_backups)

    # -- start -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Check config and data, load the model, and restore the backup if there is one to continue from."""
        with self._failures_explained():
            self._refuse_bad_input()
            self._tidy_up()
            self.say("loading the model", "loading")
            self._choose_device()
            self.family: ModelFamily = load_family(self.config, self.device)
            self.callbacks.on_update_status("running model setup")
            self._set_up_training()
            self.say("creating the data loader/caching", "caching")
            self._set_up_data()
            self._set_up_schedule()
            if self.resume_from:
                restore(self, self.resume_from)

    def _refuse_bad_input(self) -> None:
        settings = self.config.to_dict()
        if self.resume_from:
            settings["prevent_overwrites"] = False  # what lies at the destination is this run's own, and is kept aside
        problems = check(settings)
        for problem in problems:
            if not problem.is_error:
                self.callbacks.on_warning(f"{problem.field}: {problem.message}")
        if errors := [problem for problem in problems if problem.is_error]:
            raise BadConfig(errors)
        if broken := [problem for problem in check_data(self.config) if problem.is_error]:
            raise BadData(broken)

    def _tidy_up(self) -> None:
        """Remove what an attempt that was killed left half-written."""
        final = Path(self.config.output_model_destination)
        remove(final.with_name(final.name + PARTIAL))
        remove_leftovers(Path(self.config.workspace_dir))

    def _choose_device(self) -> None:
        self.device, device_warnings = choose_device(self.config)
        self.dtype, dtype_warnings = computing_dtype(self.config, self.device)
        self.memory_before = peak_memory(self.device)
        for warning in [*device_warnings, *dtype_warnings]:
            self.callbacks.on_warning(warning)

    def _set_up_training(self) -> None:
        torch.manual_seed(self.config.seed)
        self.trained = self._trained_parameters()
        self.parameters = [weight for weights in self.trained.values() for weight in weights]
        if self.weights_from and not self.resume_from:
            take_weights(self, self.weights_from)
        for name, part in self.family.parts.items():
            part.train(name in self.trained)
            if name in self.trained and getattr(self.config, name).gradient_checkpointing:
                self.family.checkpoint_gradients(part)
        self.optimizer = make_optimizer(self.config, self.trained)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
        self.ema = self._make_ema()
        self.sampler = Sampler(self.config, self.family, self.callbacks, self.commands)

    def _trained_parameters(self) -> dict[str, list[Parameter]]:
        if self.config.training_method is TrainingMethod.LORA:
            parts = add_lora(self.config, self.family)
            self._begin_with_lora(parts)
            return {name: lora_parameters(part) for name, part in parts.items()}
        trained = {name: part for name, part in self.family.parts.items() if getattr(self.config, name).train}
        return {name: list(part.requires_grad_(True).parameters()) for name, part in trained.items()}

    def _begin_with_lora(self, parts: dict[str, torch.nn.Module]) -> None:
        """Go on with the LoRA that the config names; a backup holds newer weights, and is read later."""
        if not self.config.lora_model_name or self.resume_from:
            return
        path = Path(self.config.lora_model_name).expanduser()
        left = load_lora(self.config, parts, self.family.lora_prefixes, path)
        if left:
            self.callbacks.on_warning(f"{left} weights of {path} belong to layers that are not trained here.")

    def _make_ema(self) -> MovingAverage | None:
        if self.config.ema is EMAMode.OFF:
            return None
        device = torch.device("cpu") if self.config.ema is EMAMode.CPU else self.device
        return MovingAverage(self.parameters, self.config.ema_decay, self.config.ema_update_step_interval, device)

    def _set_up_data(self) -> None:
        self.loader = BatchLoader(self.config, self.family, cache_text="text_encoder" not in self.trained)
        self.loader.prepare(self._report_caching, lambda: self.commands.stop_requested)
        for problem in self.loader.warnings:
            self.callbacks.on_warning(problem.message)

    def _report_caching(self, done: int, total: int) -> None:
        if done % 10 == 0:
            self.callbacks.on_update_status(f"caching {done} of {total}")

    def _set_up_schedule(self) -> None:
        per_epoch = len(self.loader)
        if 0 < per_epoch * self.config.epochs < self.config.gradient_accumulation_steps:
            raise BadData(
                f"The weights would never change: {per_epoch * self.config.epochs} batches in all are fewer than "
                f"gradient_accumulation_steps ({self.config.gradient_accumulation_steps}); lower it, or raise epochs."
            )
        self.total_steps = math.ceil(per_epoch * self.config.epochs / self.config.gradient_accumulation_steps)
        self.schedule = make_schedule(self.config, self.optimizer, self.total_steps)
        config = self.config
        self.regular: list[tuple[Interval, Callable[[], Any]]] = [
            (Interval(config.backup_after, config.backup_after_unit), self.keeper.back_up),
            (Interval(config.sample_after, config.sample_after_unit, config.sample_skip_first), self._sample_default),
            (Interval(config.save_every, config.save_every_unit, config.save_skip_first), self.keeper.save),
        ]
        self._due: set[Interval] = set()

    # -- train -------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Go through the epochs that are left; ends early after a step in which a stop was asked for."""
        with self._failures_explained():
            self.log.begin()
            for epoch in range(self.progress.epoch, self.config.epochs):
                if self.commands.stop_requested:
                    break
                self.callbacks.on_update_status("Starting epoch/caching")
                self._train_epoch(epoch)
            self.log.flush()

    def _train_epoch(self, epoch: int) -> None:
        self.max_step = len(self.loader)
        for batch in self.loader.epoch(epoch, self.progress.epoch_step):
            self.say("Training ...", "training")
            self._step(batch)
            self.progress.next_step(len(batch))
            if self.progress.epoch_step == self.max_step:
                self.progress.next_epoch()
            self.callbacks.on_update_train_progress(self.progress, self.max_step, self.config.epochs)
            self._do_what_is_due()
            if self.commands.stop_requested:
                return

    def _step(self, batch: Batch) -> None:
        """One micro-batch; the weights change after each `gradient_accumulation_steps` of them."""
        # Seeded by the step alone: a resumed run draws the same noise, whatever was drawn in between.
        torch.manual_seed(hash((self.config.seed, self.progress.global_step)) % 2**63)
        with autocast(self.device, self.dtype):
            text = batch.text if batch.text is not None else self.family.encode_captions(batch.captions)
            prediction = self.family.predict(batch.latents, text)
        loss = batch_loss(self.config, prediction, batch.loss_weight)
        self.scaler.scale(loss / self.config.gradient_accumulation_steps).backward()
        self.log.take(loss.detach())
        if self._holds_no_gradient_after_this_step():
            self._update_weights()

    def _holds_no_gradient_after_this_step(self) -> bool:
        return (self.progress.global_step + 1) % self.config.gradient_accumulation_steps == 0

    def _update_weights(self) -> None:
        self.scaler.unscale_(self.optimizer)
        if self.config.clip_grad_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer_steps += 1
        if self.ema:
            self.ema.update(self.optimizer_steps)

    # -- between steps -----------------------------------------------------------------------------------------

    def _do_what_is_due(self) -> None:
        self._due |= {interval for interval, _ in self.regular if interval.is_due(self.progress)}
        if self.holds_gradient():
            return  # as in OneTrainer: what falls within an accumulation is done after it
        for interval, action in self.regular:
            if interval in self._due:
                self._due.discard(interval)
                self.attempt(action)
        for command in self.commands.take():
            self._obey(command)

    def attempt(self, action: Callable[[], Any]) -> None:
        """What cannot be written, on a full disk for example, must not end the training: it is tried again in turn."""
        try:
            action()
        except NOT_WRITTEN as error:
            logger.exception("Something could not be written; training goes on.")
            self.callbacks.on_warning(f"{error} Training goes on, and it is tried again when it is due.")

    def holds_gradient(self) -> bool:
        return self.progress.global_step % self.config.gradient_accumulation_steps != 0

    def _obey(self, command: Command) -> None:
        actions: dict[str, Callable[[Command], str | None]] = {
            "sample_default": self._sample_on_command,
            "sample_custom": self._sample_on_command,
            "backup": lambda _: self.keeper.back_up(),
            "save": lambda _: self.keeper.save(),
            "pause": self._pause,
            "continue": lambda _: "It was not paused.",
            "stop": lambda _: f"Stopped after step {self.progress.global_step}.",
        }
        try:
            detail = actions[command.kind](command)
        except NotFinite:
            raise  # nothing good can come of such weights; whatever else fails, a command does not end a run
        except Exception as error:
            logger.exception("The command %s failed.", command.kind)
            self.callbacks.on_command_refused(command, f"It failed: {error}")
            return
        if detail is not None:
            self.callbacks.on_command_done(command, detail)

    def _pause(self, command: Command) -> None:
        """Hold between two steps, the model loaded; every other command works meanwhile."""
        self.log.flush()
        self.say("Paused", "paused")
        self.callbacks.on_command_done(command, f"Paused after step {self.progress.global_step}.")
        while not self.commands.stop_requested:
            self.commands.wait()
            for other in self.commands.take():
                if other.kind == "continue":
                    self.callbacks.on_command_done(other, "Training goes on.")
                    self.log.go_on()
                    return
                if other.kind == "pause":
                    self.callbacks.on_command_done(other, "It was paused already.")
                    continue
                self._obey(other)
                if not self.commands.stop_requested:
                    self.say("Paused", "paused")

    def _sample_on_command(self, command: Command) -> str:
        if command.kind == "sample_custom":
            failures = self._sample_custom(command)
        else:
            failures = self._sample_default() or ["no sample is turned on in the config."] * (not self._has_samples())
        if failures:
            raise RuntimeError(" ".join(failures))
        return f"Drawn at step {self.progress.global_step}."

    def _has_samples(self) -> bool:
        return any(sample.enabled for sample in load_samples(self.config))

    def _sample_default(self) -> list[str]:
        """Draw the config's samples; return what went wrong, which training does not mind."""
        with self._sampling():
            return self.sampler.draw_default(self.progress)

    def _sample_custom(self, command: Command) -> list[str]:
        settings = SampleConfig.from_dict(command.arguments)
        with self._sampling():
            return self.sampler.draw_custom(settings, self.progress, command.id)

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        self.log.flush()
        self.say("Sampling ...", "sampling")
        with self.averaged():
            yield
        self.log.go_on()

    def averaged(self) -> Any:
        """A block in which the weights are their averages, where such are kept."""
        return self.ema.in_place() if self.ema else nullcontext()

    # -- end ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Back up if the config says so, and write the final model. After a failure nothing is written."""
        if self.failed:
            return
        with self._failures_explained():
            stop = self.commands.stop_requested
            if self.optimizer_steps:
                self.keeper.keep_what_was_trained(stop)
            elif stop is None:
                raise BadData("Not a single step was trained, so there is no model to save: raise epochs.")
            for command in self.commands.take():
                if command.kind == "stop":
                    self._obey(command)

    # -- helpers -----------------------------------------------------------------------------------------------

    def say(self, status: str, phase: str) -> None:
        self.callbacks.on_update_status(status)
        if phase != getattr(self, "_phase", ""):
            self._phase = phase
            self.callbacks.on_phase(phase)

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failed = True
            if known := explain(error, self.config, getattr(self, "device", None)):
                raise known from error
            raise
