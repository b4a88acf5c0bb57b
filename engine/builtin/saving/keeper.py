"""What is kept of a training: backups, saved models, and the final one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.builtin.saving.model import expected_size, save_model
from engine.builtin.saving.state import describe, size_of_state, write_state
from engine.builtin.training import checkpoint
from engine.interface.commands import Command
from engine.interface.errors import DiskFull, NotFinite
from engine.interface.files import facts_of
from engine.interface.room import Backups, free_room, in_words, needed

if TYPE_CHECKING:
    from engine.builtin.trainer import GenericTrainer


class Keeper:
    """Writes what `trainer` has made, and makes room for it."""

    def __init__(self, trainer: GenericTrainer, keep_backups: int | None):
        self.trainer, self.config, self.callbacks = trainer, trainer.config, trainer.callbacks
        self.backups = Backups(
            Path(self.config.workspace_dir) / "backup",
            rolling=self.config.rolling_backup_count if self.config.rolling_backup else None,
            keep=keep_backups,
            on_removed=lambda path: self.callbacks.on_removed(path, "Newer backups have taken its place."),
        )
        self.backed_up: int | None = None  # the step of the newest backup

    def back_up(self) -> str:
        """Write a backup; losses and weights are looked at first, so that no backup holds weights that went bad."""
        trainer, progress = self.trainer, self.trainer.progress
        trainer.log.flush()
        self._refuse_broken_weights()
        trainer.say("Creating backup", "backup")
        self.backups.make_room("backup", size_of_state(trainer), self.backups.folder)
        path = checkpoint.write_backup(self.backups.folder, progress, describe(trainer), partial(write_state, trainer))
        self.backed_up = progress.global_step
        self.backups.written.append(path)
        self.callbacks.on_artifact("backup", path, progress.copy(), **facts_of(path))
        self.backups.roll()
        trainer.log.go_on()
        return f"Backup of step {progress.global_step}."

    def _refuse_broken_weights(self) -> None:
        """A step can break the weights though its own loss was finite. Raises NotFinite."""
        if not torch.stack([weight.detach().isfinite().all() for weight in self.trainer.parameters]).all():
            step = self.trainer.progress.global_step
            raise NotFinite(
                f"The weights are no longer finite after step {step}: lower the learning rate, or "
                "train in FLOAT_32 or BFLOAT_16, and continue from the last backup."
            )

    def save(self) -> str:
        self.trainer.log.flush()
        self.trainer.say("Saving", "saving")
        final, folder = Path(self.config.output_model_destination), Path(self.config.workspace_dir) / "save"
        self.backups.make_room("save", expected_size(self.config, self.trainer.family), folder)
        name = f"{self.config.save_filename_prefix}{final.stem}-{self.trainer.progress.filename_string()}{final.suffix}"
        path = self._write_model(checkpoint.unused(folder / name))
        self.callbacks.on_artifact("save", path, self.trainer.progress.copy(), **facts_of(path))
        self.trainer.log.go_on()
        return f"Saved as {path.name}."

    def _write_model(self, destination: Path, old: Path | None = None) -> Path:
        self._refuse_broken_weights()
        with self.trainer.averaged():
            return save_model(self.config, self.trainer.family, self.trainer.progress, destination, old)

    def keep_what_was_trained(self, stop: Command | None) -> None:
        keep_model = stop is None or stop.arguments.get("final_model", True)
        if not keep_model:
            self.back_up()
            return
        if self.config.backup_before_save:
            self.trainer.attempt(self.back_up)
        self._write_final_model()

    def _write_final_model(self) -> None:
        """Whatever the guard thinks, the model is tried: all was done for it. Raises DiskFull."""
        self.trainer.say("Saving the final model", "saving")
        final = Path(self.config.output_model_destination)
        old = checkpoint.unused(final.with_name(f"{final.stem}-before{final.suffix}"))
        try:
            path = self._write_model(final, old)
        except DiskFull as error:
            path = self._write_model_once_more(final, old, error)
        earlier = {"earlier": str(old)} if old.exists() else {}
        self.callbacks.on_artifact("model", path, self.trainer.progress.copy(), **facts_of(path), **earlier)

    def _write_model_once_more(self, final: Path, old: Path, error: DiskFull) -> Path:
        size = expected_size(self.config, self.trainer.family)
        self.backups.free(size, final.parent)
        try:
            return self._write_model(final, old)
        except DiskFull:
            if self.backed_up != self.trainer.progress.global_step:
                self.trainer.attempt(self.back_up)
            missing = max(needed(size) - free_room(final.parent), 0) or size
            raise DiskFull(
                f"The disk is full, so the final model was not written: free {in_words(missing)}, then "
                f"{self._what_is_lost()}"
            ) from error

    def _what_is_lost(self) -> str:
        if self.backed_up is None:
            return "train again, as there is no backup."
        lost = self.trainer.progress.global_step - self.backed_up
        again = f"{lost} steps are trained again" if lost else "nothing is trained again"
        return f"press continue: the backup of step {self.backed_up} is whole, and {again}."
