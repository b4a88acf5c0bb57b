"""The training itself: load, cache, step, sample, back up, save."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import Parameter

from engine.builtin import checkpoint
from engine.builtin.concepts import check_data
from engine.builtin.config import SampleConfig, TrainConfig
from engine.builtin.ema import MovingAverage
from engine.builtin.enums import EMAMode, TrainingMethod
from engine.builtin.families import load_family
from engine.builtin.families.base import ModelFamily
from engine.builtin.intervals import Interval
from engine.builtin.lists import load_samples
from engine.builtin.loader import Batch, BatchLoader
from engine.builtin.lora import add_lora, lora_parameters
from engine.builtin.losses import batch_loss
from engine.builtin.optimizers import make_optimizer, make_schedule, rates
from engine.builtin.precision import autocast, choose_device, computing_dtype, peak_memory
from engine.builtin.sampling import Sampler
from engine.builtin.saving import save_model, total_size
from engine.builtin.support import check
from engine.interface.callbacks import TrainCallbacks
from engine.interface.commands import Command, TrainCommands
from engine.interface.errors import BadConfig, BadData, NotFinite, OutOfMemory
from engine.interface.progress import TrainProgress

logger = logging.getLogger("engine")
SMOOTHING = 0.99  # of smooth_loss, which forgets half of a step after 70 steps
LOG_SECONDS = 1.0  # how long losses stay on the device; reading one waits for the GPU
WEIGHTS, GRADIENTS, EMA = "weights.safetensors", "gradients.safetensors", "ema.safetensors"
OPTIMIZER = "optimizer.pt"


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
    ):
        self.config = config
        self.callbacks = callbacks
        self.commands = commands
        self.resume_from = Path(resume_from) if resume_from else None
        self.progress = TrainProgress()
        self.optimizer_steps = 0
        self.smooth_loss: float | None = None
        self.failed = False

    # -- start -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Check config and data, load the model, and restore the backup if there is one to continue from."""
        with self._failures_explained():
            self._refuse_bad_input()
            self._say("loading the model", "loading")
            self._choose_device()
            self.family: ModelFamily = load_family(self.config, self.device)
            self.callbacks.on_update_status("running model setup")
            self._set_up_training()
            self._say("creating the data loader/caching", "caching")
            self._set_up_data()
            self._set_up_schedule()
            if self.resume_from:
                self._restore(self.resume_from)

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
            return {name: lora_parameters(part) for name, part in add_lora(self.config, self.family).items()}
        trained = {name: part for name, part in self.family.parts.items() if getattr(self.config, name).train}
        return {name: list(part.requires_grad_(True).parameters()) for name, part in trained.items()}

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
            (Interval(config.backup_after, config.backup_after_unit), self._back_up),
            (Interval(config.sample_after, config.sample_after_unit, config.sample_skip_first), self._sample_default),
            (Interval(config.save_every, config.save_every_unit, config.save_skip_first), self._save),
        ]
        self._due: set[Interval] = set()

    # -- train -------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Go through the epochs that are left; ends early after a step in which a stop was asked for."""
        with self._failures_explained():
            self._begin_log()
            for epoch in range(self.progress.epoch, self.config.epochs):
                if self.commands.stop_requested:
                    break
                self.callbacks.on_update_status("Starting epoch/caching")
                self._train_epoch(epoch)
            self._flush_log()

    def _train_epoch(self, epoch: int) -> None:
        self.max_step = len(self.loader)
        for batch in self.loader.epoch(epoch, self.progress.epoch_step):
            self._say("Training ...", "training")
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
        self._log(loss.detach())
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

    # -- the log of losses -------------------------------------------------------------------------------------

    def _begin_log(self) -> None:
        self._losses: list[Tensor] = []
        self._rates: list[list[tuple[str, float]]] = []
        self._first_logged = self.progress.global_step
        self._logged_at = time.monotonic()

    def _log(self, loss: Tensor) -> None:
        self._losses.append(loss)  # stays on the device
        self._rates.append(list(rates(self.optimizer)))
        if time.monotonic() - self._logged_at >= LOG_SECONDS:
            self._flush_log()

    def _flush_log(self) -> None:
        """Read the losses of the last interval in one wait for the device; raises NotFinite."""
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        speed = len(losses) / max(1e-6, time.monotonic() - self._logged_at)
        steps, learning_rates = range(self._first_logged, self._first_logged + len(losses)), self._rates
        self._losses, self._rates = [], []
        self._first_logged, self._logged_at = steps.stop, time.monotonic()
        self.peak_memory = peak_memory(self.device, self.memory_before)
        for step, loss, part_rates in zip(steps, losses, learning_rates, strict=True):
            if not math.isfinite(loss):
                raise NotFinite(
                    f"The loss became {loss} at step {step}: lower the learning rate, or train in FLOAT_32 or "
                    "BFLOAT_16, and continue from the last backup."
                )
            self._publish_metrics(step, loss, part_rates, speed)

    def _publish_metrics(self, step: int, loss: float, part_rates: list[tuple[str, float]], speed: float) -> None:
        before = loss if self.smooth_loss is None else self.smooth_loss
        self.smooth_loss = SMOOTHING * before + (1 - SMOOTHING) * loss
        values = {"loss": loss, "smooth_loss": self.smooth_loss, "steps_per_second": speed}
        values |= {f"lr/{name}": rate for name, rate in part_rates}
        if self.ema:
            values["ema_decay"] = self.ema.current_decay
        if self.device.type == "cuda":
            values["gpu_memory_gb"] = torch.cuda.max_memory_allocated(self.device) / 1024**3
        values["peak_memory_gb"] = self.peak_memory / 1024**3
        self.callbacks.on_metrics(step, values)

    # -- between steps -----------------------------------------------------------------------------------------

    def _do_what_is_due(self) -> None:
        self._due |= {interval for interval, _ in self.regular if interval.is_due(self.progress)}
        if self._holds_gradient():
            return  # as in OneTrainer: what falls within an accumulation is done after it
        for interval, action in self.regular:
            if interval in self._due:
                self._due.discard(interval)
                action()
        for command in self.commands.take():
            self._obey(command)

    def _holds_gradient(self) -> bool:
        return self.progress.global_step % self.config.gradient_accumulation_steps != 0

    def _obey(self, command: Command) -> None:
        actions: dict[str, Callable[[Command], str | None]] = {
            "sample_default": self._sample_on_command,
            "sample_custom": self._sample_on_command,
            "backup": lambda _: self._back_up(),
            "save": lambda _: self._save(),
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
        self._flush_log()
        self._say("Paused", "paused")
        self.callbacks.on_command_done(command, f"Paused after step {self.progress.global_step}.")
        while not self.commands.stop_requested:
            self.commands.wait()
            for other in self.commands.take():
                if other.kind == "continue":
                    self.callbacks.on_command_done(other, "Training goes on.")
                    self._logged_at = time.monotonic()
                    return
                if other.kind == "pause":
                    self.callbacks.on_command_done(other, "It was paused already.")
                    continue
                self._obey(other)
                if not self.commands.stop_requested:
                    self._say("Paused", "paused")

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
        self._flush_log()
        self._say("Sampling ...", "sampling")
        with self._averaged():
            yield
        self._logged_at = time.monotonic()

    def _averaged(self) -> Any:
        return self.ema.in_place() if self.ema else nullcontext()

    # -- backups and saves -------------------------------------------------------------------------------------

    def _back_up(self) -> str:
        """Write a backup; losses and weights are looked at first, so that no backup holds weights that went bad."""
        self._flush_log()
        self._refuse_broken_weights()
        self._say("Creating backup", "backup")
        folder = Path(self.config.workspace_dir) / "backup"
        path = checkpoint.write_backup(folder, self.progress, self._meta(), self._write_state)
        self.callbacks.on_artifact("backup", path, self.progress.copy(), size=total_size(path))
        if self.config.rolling_backup:
            checkpoint.keep_newest(folder, self.config.rolling_backup_count)
        self._logged_at = time.monotonic()
        return f"Backup of step {self.progress.global_step}."

    def _refuse_broken_weights(self) -> None:
        """A step can break the weights though its own loss was finite. Raises NotFinite."""
        if not torch.stack([weight.detach().isfinite().all() for weight in self.parameters]).all():
            raise NotFinite(
                f"The weights are no longer finite after step {self.progress.global_step}: lower the learning rate, or "
                "train in FLOAT_32 or BFLOAT_16, and continue from the last backup."
            )

    def _meta(self) -> dict[str, Any]:
        return {
            "progress": self.progress.to_dict(),
            "optimizer_steps": self.optimizer_steps,
            "smooth_loss": self.smooth_loss,
            "base_model": self.config.base_model_name,
            "config": self.config.to_dict(),
        }

    def _write_state(self, folder: Path) -> None:
        save_file(_numbered(self.parameters), folder / WEIGHTS)
        if self._holds_gradient():  # stopped within an accumulation: what is held counts in the next update
            save_file(_numbered([weight.grad for weight in self.parameters]), folder / GRADIENTS)
        state = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        state["schedule"].pop("lr_lambdas", None)
        torch.save(state, folder / OPTIMIZER)
        if self.ema:
            save_file({name: value.cpu().contiguous() for name, value in self.ema.state_dict().items()}, folder / EMA)

    @torch.no_grad()
    def _restore(self, backup: Path) -> None:
        """Go on exactly where the backup was made. Raises BadBackup."""
        checkpoint.verify(backup)
        meta = checkpoint.read_meta(backup)
        for weight, saved in zip(self.parameters, load_file(backup / WEIGHTS).values(), strict=True):
            weight.copy_(saved)
        held = load_file(backup / GRADIENTS, str(self.device)) if (backup / GRADIENTS).exists() else {}
        for name, gradient in held.items():
            self.parameters[int(name)].grad = gradient
        state = torch.load(backup / OPTIMIZER, map_location=self.device, weights_only=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict({**state["schedule"], "lr_lambdas": self.schedule.state_dict()["lr_lambdas"]})
        self.scaler.load_state_dict(state["scaler"])
        if self.ema:
            self.ema.load_state_dict(load_file(backup / EMA))
        self.progress = TrainProgress(**meta["progress"])
        self.optimizer_steps = meta["optimizer_steps"]
        self.smooth_loss = meta["smooth_loss"]

    def _save(self) -> str:
        self._flush_log()
        self._say("Saving", "saving")
        final = Path(self.config.output_model_destination)
        name = f"{self.config.save_filename_prefix}{final.stem}-{self.progress.filename_string()}{final.suffix}"
        path = self._write_model(checkpoint.unused(Path(self.config.workspace_dir) / "save" / name))
        self.callbacks.on_artifact("save", path, self.progress.copy(), size=total_size(path))
        self._logged_at = time.monotonic()
        return f"Saved as {path.name}."

    def _write_model(self, destination: Path) -> Path:
        self._refuse_broken_weights()
        with self._averaged():
            return save_model(self.config, self.family, self.progress, destination)

    # -- end ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Back up if the config says so, and write the final model. After a failure nothing is written."""
        if self.failed:
            return
        with self._failures_explained():
            stop = self.commands.stop_requested
            if self.optimizer_steps:
                self._keep_what_was_trained(stop)
            elif stop is None:
                raise BadData("Not a single step was trained, so there is no model to save: raise epochs.")
            for command in self.commands.take():
                if command.kind == "stop":
                    self._obey(command)

    def _keep_what_was_trained(self, stop: Command | None) -> None:
        keep_model = stop is None or stop.arguments.get("final_model", True)
        if self.config.backup_before_save or not keep_model:
            self._back_up()
        if keep_model:
            self._write_final_model()

    def _write_final_model(self) -> None:
        self._say("Saving the final model", "saving")
        path = self._write_model(Path(self.config.output_model_destination))
        self.callbacks.on_artifact("model", path, self.progress.copy(), size=total_size(path))

    # -- helpers -----------------------------------------------------------------------------------------------

    def _say(self, status: str, phase: str) -> None:
        self.callbacks.on_update_status(status)
        if phase != getattr(self, "_phase", ""):
            self._phase = phase
            self.callbacks.on_phase(phase)

    @contextmanager
    def _failures_explained(self) -> Iterator[None]:
        try:
            yield
        except torch.cuda.OutOfMemoryError as error:
            self.failed = True
            peak = torch.cuda.max_memory_allocated(self.device) / 1024**3
            raise OutOfMemory(
                f"The GPU's memory did not suffice (peak {peak:.1f} GB): lower batch_size or resolution, or turn on "
                "gradient_checkpointing."
            ) from error
        except BaseException:
            self.failed = True
            raise


def _numbered(tensors: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Tensors by their place, which is the same in every attempt; what is None is left out."""
    return {f"{i:05}": tensor.detach().cpu().contiguous() for i, tensor in enumerate(tensors) if tensor is not None}
