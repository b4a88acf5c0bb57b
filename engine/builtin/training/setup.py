"""From a config to a session: load the model, choose the trained weights, and prepare the data."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import Parameter

from engine.builtin.config.enums import EMAMode, TrainingMethod
from engine.builtin.config.train_config import TrainConfig, whole_parts
from engine.builtin.data.loader import BatchLoader
from engine.builtin.families.base import ModelFamily
from engine.builtin.families.layers import trained_weights
from engine.builtin.families.loading import load_family
from engine.builtin.families.lora import add_lora, lora_parameters
from engine.builtin.families.precision import choose_device, computing_dtype, peak_memory
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.ema import MovingAverage
from engine.builtin.training.initial_weights import choose_lora_layers, take_lora, take_weights
from engine.builtin.training.optimizers import make_optimizer
from engine.builtin.training.schedules import Length, make_schedule
from engine.builtin.training.session import Session, flat
from engine.interface.commands import TrainCommands


class SessionMaker:
    """Makes the session of `config`. A session that resumes a backup loads no other initial weights."""

    def __init__(
        self,
        config: TrainConfig,
        announcer: Announcer,
        commands: TrainCommands,
        resume_from: Path | None,
        weights_from: Path | None,
    ) -> None:
        self.config = config
        self.announcer = announcer
        self.callbacks = announcer.callbacks
        self.commands = commands
        self.takes_lora = bool(config.lora_model_name) and not resume_from
        self.weights_from = None if resume_from else weights_from
        self.layers_from = resume_from or weights_from

    def make(self) -> Session:
        """Load, choose and cache; returns early, without batches, after a stop. Raises TrainingError."""
        self.announcer.say("loading the model", "loading")
        device, dtype = self._choose_hardware()
        memory_before = peak_memory(device)
        family = load_family(self.config, device)
        self.callbacks.on_update_status("running model setup")
        trained = self._set_up_parts(family)
        optimizer = make_optimizer(self.config, trained)
        scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
        ema = self._make_ema(flat(trained), device)
        self.announcer.say("creating the data loader/caching", "caching")
        trains_text = not trained.keys().isdisjoint(family.text_encoders)
        loader = self._load_data(family, cache_text=not trains_text and not family.trains_pixels)
        updates = len(loader) * self.config.epochs // self.config.gradient_accumulation_steps
        schedule = make_schedule(self.config, optimizer, Length(len(loader), updates))
        return Session(
            self.config, device, dtype, memory_before, family, trained, optimizer, scaler, ema, loader, schedule
        )

    def _choose_hardware(self) -> tuple[torch.device, torch.dtype]:
        device, device_warnings = choose_device(self.config)
        dtype, dtype_warnings = computing_dtype(self.config, device)
        for warning in [*device_warnings, *dtype_warnings]:
            self.callbacks.on_warning(warning)
        return device, dtype

    def _set_up_parts(self, family: ModelFamily) -> dict[str, list[Parameter]]:
        """The trained weights by part, with their initial values."""
        torch.manual_seed(self.config.seed)
        trained = self._trained_parameters(family)
        if self.weights_from:
            take_weights(self.config, flat(trained), self.weights_from)
        for name, part in family.parts.items():
            part.train(name in trained)
            passes_gradient = name in trained or name == family.denoiser  # the encoder's gradient comes through it
            if passes_gradient and getattr(self.config, name).gradient_checkpointing:
                family.checkpoint_gradients(part)
        return trained

    def _trained_parameters(self, family: ModelFamily) -> dict[str, list[Parameter]]:
        if self.config.training_method is TrainingMethod.LORA:
            parts = add_lora(self.config, family, choose_lora_layers(self.config, family, self.layers_from))
            if self.takes_lora:
                take_lora(self.config, family, parts, self.callbacks)
            return {name: lora_parameters(part) for name, part in parts.items()}
        trained = {name: trained_weights(self.config, family, name) for name in whole_parts(self.config)}
        for weight in flat(trained):
            weight.requires_grad_(True)
        return trained

    def _make_ema(self, parameters: list[Parameter], device: torch.device) -> MovingAverage | None:
        config = self.config
        if config.ema is EMAMode.OFF:
            return None
        place = torch.device("cpu") if config.ema is EMAMode.CPU else device
        return MovingAverage(parameters, config.ema_decay, config.ema_update_step_interval, place)

    def _load_data(self, family: ModelFamily, cache_text: bool) -> BatchLoader:
        loader = BatchLoader(self.config, family, cache_text)
        loader.prepare(self._report_caching, lambda: self.commands.stop_requested is not None)
        for problem in loader.warnings:
            self.callbacks.on_warning(problem.message)
        return loader

    def _report_caching(self, done: int, total: int) -> None:
        self.callbacks.on_phase_progress("caching", done, total)
        if done % 10 == 0:
            self.callbacks.on_update_status(f"caching {done} of {total}")
