"""The files that a training writes: backups, saved models, and the final model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from engine.builtin.saving.model import expected_size, save_model
from engine.builtin.saving.resume_state import describe, size_of_state, write_state
from engine.builtin.training import checkpoint
from engine.builtin.training.announcer import Announcer
from engine.builtin.training.failures import try_to_write
from engine.builtin.training.loss_log import LossLog
from engine.builtin.training.session import Session
from engine.interface.commands import Command
from engine.interface.errors import DiskFull, NotFinite
from engine.interface.files import facts_of
from engine.interface.free_space import Backups, free_bytes, in_words, needed
from engine.paths.writing import free_place, place_of


class Keeper:
    """Writes the session's backups and models, and frees space for them."""

    def __init__(self, session: Session, log: LossLog, announcer: Announcer, keep_backups: int | None) -> None:
        self.session, self.config = session, session.config
        self.log, self.announcer, self.callbacks = log, announcer, announcer.callbacks
        self.backups = Backups(
            Path(self.config.workspace_dir) / "backup",
            rolling=self.config.rolling_backup_count if self.config.rolling_backup else None,
            keep=keep_backups,
            on_removed=lambda path: self.callbacks.on_removed(path, "Newer backups have replaced it."),
        )

    def back_up(self) -> str:
        """Write a backup; losses and weights are checked first, so that no backup holds broken weights."""
        with self.log.interrupted():
            self._refuse_broken_weights()
            self.announcer.say("Creating backup", "backup")
            self.backups.make_space("backup", size_of_state(self.session), self.backups.folder)
            self._write_backup()
            self.backups.roll()
        return f"Backed up at step {self.session.backed_up}."

    def _write_backup(self) -> None:
        session, progress = self.session, self.session.progress
        path = checkpoint.write_backup(self.backups.folder, progress, describe(session), partial(write_state, session))
        session.backed_up, session.newest_backup = progress.global_step, path
        self.backups.written.append(path)
        self.callbacks.on_artifact("backup", path, progress.copy(), **facts_of(path))

    def _refuse_broken_weights(self) -> None:
        """A step can break the weights although its own loss was finite. Raises NotFinite."""
        if not torch.stack([weight.detach().isfinite().all() for weight in self.session.parameters]).all():
            step = self.session.progress.global_step
            raise NotFinite(
                f"The weights are no longer finite after step {step}: lower the learning rate, or "
                "train in FLOAT_32 or BFLOAT_16, and resume from the last backup."
            )

    def save(self) -> str:
        """Write the present model, beside the earlier saves."""
        folder = Path(self.config.workspace_dir) / "save"
        with self.log.interrupted():
            self.announcer.say("Saving", "saving")
            self.backups.make_space("save", expected_size(self.config, self.session.family), folder)
            path = self._write_model(checkpoint.unused(folder / self._save_name()))
            self.callbacks.on_artifact("save", path, self.session.progress.copy(), **facts_of(path))
        return f"Saved as {path.name}."

    def _save_name(self) -> str:
        final = Path(self.config.output_model_destination)
        return f"{self.config.save_filename_prefix}{final.stem}-{self.session.progress.filename_string()}{final.suffix}"

    def _write_model(self, destination: Path, old: Path | None = None) -> Path:
        self._refuse_broken_weights()
        with self.session.averaged():
            return save_model(self.session, destination, old)

    def keep_what_was_trained(self, stop: Command | None) -> None:
        """At the end: a backup if the config says so, and the final model unless the stop wants none."""
        keep_model = stop is None or stop.arguments.get("final_model", True)
        if not keep_model:
            if not self.session.is_backed_up:
                self.back_up()
            return
        if self.config.backup_before_save and not self.session.is_backed_up:
            try_to_write(self.back_up, self.callbacks.on_warning)
        self._write_final_model()

    def _write_final_model(self) -> None:
        """Try to write even if space is short: the whole training was for this model. Raises DiskFull."""
        self.announcer.say("Saving the final model", "saving")
        wanted = Path(self.config.output_model_destination)
        final = free_place(wanted)
        if final != wanted:
            text = f"{wanted} is another file by now, which is kept, so the model is written as {final.name} beside it."
            self.callbacks.on_warning(text)
        old = checkpoint.unused(final.with_name(f"{final.stem}-before{final.suffix}"))
        try:
            path = self._write_at(final, old)
        except DiskFull as error:
            path = self._write_model_once_more(final, old, error)
        earlier = {"earlier": str(old)} if old.exists() else {}
        self.callbacks.on_artifact("model", path, self.session.progress.copy(), **facts_of(path), **earlier)

    def _write_at(self, final: Path, old: Path) -> Path:
        """Write the final model where the door lets it; an earlier model there is kept as `old`."""
        with place_of(final) as place:
            self._write_model(place, place.with_name(old.name))
        return final

    def _write_model_once_more(self, final: Path, old: Path, error: DiskFull) -> Path:
        size = expected_size(self.config, self.session.family)
        self.backups.free(size, final.parent)
        try:
            return self._write_at(final, old)
        except DiskFull:
            if not self.session.is_backed_up:
                try_to_write(self.back_up, self.callbacks.on_warning)
            missing = max(needed(size) - free_bytes(final.parent), 0) or size
            raise DiskFull(
                f"The disk is full, so the final model was not written: free {in_words(missing)}, then "
                f"{self._what_is_lost()}"
            ) from error

    def _what_is_lost(self) -> str:
        if self.session.backed_up is None:
            return "train again, because there is no backup."
        lost = self.session.progress.global_step - self.session.backed_up
        again = f"{lost} steps will be trained again" if lost else "nothing has to be trained again"
        return f"continue the run from its backup of step {self.session.backed_up}; {again}."
