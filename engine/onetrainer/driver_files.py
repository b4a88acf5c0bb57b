"""The files that OneTrainer writes: samples, backups, saves and the final model, each reported with its exact path."""

import os
import random
import re
from datetime import datetime
from pathlib import Path

from engine.interface.callbacks import SampleOutput
from engine.interface.errors import DiskFull, NotWritten, TrainingError
from engine.interface.files import (
    PARTIAL,
    facts_of,
    flush,
    put_away,
    refuse_broken,
    remove,
    remove_leftovers,
    size_of,
    write_manifest,
    written_within,
)
from engine.interface.free_space import Backups, in_words, needed
from engine.paths.here import may_clear, may_replace
from engine.paths.writing import free_place, place_of

INDEX = re.compile(r"(\d+) - ")
NO_EMA = " - no-ema"


class Artifacts:
    """Wraps a model saver. An artifact is reported at OneTrainer's next step: a backup's config is written last."""

    def __init__(self, training, keep_backups=None):
        self._training = training
        self._unreported = []
        self._sizes = {}  # bytes of the last one of each kind
        self._backed_up = None  # the step of the newest backup
        self._earlier = {}  # model: the new path of the file that had its path
        self.backups = Backups(
            training.workspace / "backup",
            keep=keep_backups,
            on_removed=lambda path: training.callbacks.on_removed(path, "Newer backups have replaced it."),
        )

    def watch(self, saver):
        save = saver.save

        def guarded_save(model, model_type, output_model_format, output_model_destination, dtype):
            path = Path(output_model_destination)
            kind = self._kind(path, str(output_model_format))
            if kind == "model" and not self._training.bridge.final_model_wanted():
                return
            if kind == "model":
                path = self._free(path)
            try:
                self._training.refuse_bad_weights()
                self._write(kind, path, lambda place: save(model, model_type, output_model_format, str(place), dtype))
            except Exception as error:
                self._training.bridge.failed(kind, error)
                raise
            self._unreported.append((kind, path, self._training.progress))

        saver.save = guarded_save
        return saver

    def _kind(self, path, model_format):
        if model_format == "INTERNAL":
            return "backup"
        return "save" if path.parent == self._training.workspace / "save" else "model"

    def _write(self, kind, path, write):
        if kind == "model":
            self._write_model(path, write)
            return
        self.backups.make_space(kind, self._expected(kind), path.parent)
        if kind == "save":
            with written_within(path) as place:
                write(place)
            return
        try:
            write(path)
        except BaseException:
            remove(path)
            raise
        self.backups.written.append(path)

    def _write_model(self, path, write):
        """Always try to write the model, even if space is short: the whole training was for it."""
        for is_last in (False, True):
            try:
                with place_of(path) as opened, written_within(opened, self._keep_aside) as place:
                    write(place)
                return
            except DiskFull as error:
                self.report()
                if is_last:
                    raise DiskFull(self._what_is_lost()) from error
                self.backups.free(self._expected("model"), path.parent)

    def _free(self, path):
        """The destination, or another name beside it if another file has its name by now."""
        free = free_place(path)
        if free != path:
            text = f"{path} is another file by now, which is kept, so the model is written as {free.name} beside it."
            self._training.callbacks.on_warning(text)
        return free

    def _keep_aside(self, path):
        """Rename an earlier model, which OneTrainer would overwrite; return a free path where another file is.

        `path` leads to the file by its folder's descriptor.
        """
        real = Path(self._training.config.output_model_destination).with_name(path.name)
        if not os.path.lexists(path):
            return None
        if not may_replace(real):
            return path.with_name(free_place(real).name)
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        kept = path.rename(path.with_name(f"{path.stem}-before-{stamp}{path.suffix}"))
        self._earlier[real] = real.with_name(kept.name)
        return None

    def _what_is_lost(self):
        size = in_words(needed(self._expected("model")))
        sentence = f"The disk is full, so the final model was not written: free space until {size} are free, then"
        if self._backed_up is None:
            return f"{sentence} train again, because there is no backup."
        return f"{sentence} continue the run from its backup of step {self._backed_up}."

    def _expected(self, kind):
        """Bytes: as the last one, or else the size of the trained weights and of the optimizer's two states of each."""
        if kind not in self._sizes and kind == "backup":
            found = self.backups.newest_first()
            if found:
                self._sizes[kind] = size_of(found[0])
        weights = sum(one.numel() * one.element_size() for one in self._training.inner.parameters)
        return self._sizes.get(kind) or weights * (3 if kind == "backup" else 1)

    def report(self):
        """Report the written files that are whole; others are renamed, and are no backup or model any more."""
        written, self._unreported = self._unreported, []
        for kind, path, progress in written:
            try:
                self._check(kind, path)
            except (OSError, TrainingError) as error:
                if path.exists():
                    path.rename(path.with_name(path.name + PARTIAL))
                self._training.bridge.failed(kind, error)
                continue
            facts = facts_of(path)
            if path in self._earlier:
                facts["earlier"] = str(self._earlier.pop(path))
            self._sizes[kind] = facts["size"]
            if kind == "backup":
                self._backed_up = progress.global_step
            self._training.callbacks.on_artifact(kind, path, progress, **facts)
            self._training.bridge.done(kind, str(path))

    def _check(self, kind, path):
        if not path.exists() or (kind == "backup" and not is_complete(path)):
            raise NotWritten("OneTrainer could not write this file; the log has the reason")
        if kind == "backup":
            refuse_broken(path)
            self._training.position.write_data(path)
            write_manifest(path)
            flush(path)

    def roll(self, count):
        """Replaces OneTrainer's own: a pinned backup stays, and none looks whole while its files are removed."""
        self.backups.rolling = count
        self.backups.roll()

    def tidy_up(self):
        """Remove the half-written files of a killed attempt."""
        final = Path(self._training.config.output_model_destination)
        if may_clear(final):
            remove(final.with_name(final.name + PARTIAL))
        remove_leftovers(self._training.workspace)
        for backup in self.backups.newest_first():
            if not is_complete(backup):
                put_away(backup)


def is_complete(backup):
    """OneTrainer writes the config last."""
    return (backup / "onetrainer_config/args.json").is_file()


class Samples:
    """Wraps a sampler, and knows the prompt and seed of each file."""

    def __init__(self, training):
        self._training = training
        self._settings = {}
        self._destination = Path()
        self._path = None

    def watch(self, sampler):
        draw = sampler.sample

        def told_draw(sample_config, destination, **arguments):
            if sample_config.random_seed:
                sample_config.seed, sample_config.random_seed = random.randrange(1 << 31), False
            self._settings, self._destination, self._path = sample_config.to_dict(), Path(destination), None
            try:
                return draw(sample_config=sample_config, destination=destination, **arguments)
            except Exception as error:
                text = f"The sample of {sample_config.prompt!r} could not be generated: {error}"
                self._training.callbacks.on_warning(text)
                if self._is_custom():
                    self._training.bridge.failed("sample_custom", error)
                raise

        sampler.sample = told_draw
        return sampler

    def keep(self, save):
        """Names are made of whole seconds, so two samples in one second would get the same file."""

        def save_under_free_name(sampler_output, destination, *args, **kwargs):
            free = unused(Path(destination))
            with written_within(free) as place:
                save(sampler_output, str(place), *args, **kwargs)
            self._path = next(iter(free.parent.glob(f"{escaped(free.name)}.*")), None)

        return save_under_free_name

    def drawn(self, output):
        if self._path is None:
            return
        custom = self._is_custom()
        folder = self._destination.parent.name
        match = INDEX.match(folder)
        sample = SampleOutput(
            path=str(self._path),
            kind="custom" if custom else "default",
            index=int(match[1]) if match and not custom else 0,
            prompt=self._settings.get("prompt", ""),
            settings=self._settings,
            progress=self._training.progress.to_dict(),
            is_ema=str(self._training.config.ema) != "OFF" and not folder.endswith(NO_EMA),
            file_type=str(output.file_type).rpartition(".")[2].lower(),
            command_id=self._training.bridge.asked_for_sample() if custom else None,
        )
        if custom:
            self._training.callbacks.on_sample_custom(sample)
            self._training.bridge.done("sample_custom", sample.path)
        else:
            self._training.callbacks.on_sample_default(sample)

    def _is_custom(self):
        return self._destination.parent.name == "custom"


def unused(destination):
    """The name, or the name with a number, that no file has with any ending."""
    name, number = destination.name, 1
    while any(destination.parent.glob(f"{escaped(destination.name)}.*")):
        number += 1
        destination = destination.with_name(f"{name}-{number}")
    return destination


def escaped(name):
    """For a pattern: a prefix of file names may contain brackets."""
    return re.sub(r"([*?[])", r"[\1]", name)
