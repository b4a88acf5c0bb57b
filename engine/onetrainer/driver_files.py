"""What OneTrainer writes: samples, backups, saves and the final model, each told with its exact path."""

import hashlib
import random
import re
from datetime import datetime
from pathlib import Path

from engine.interface.callbacks import SampleOutput

INDEX = re.compile(r"(\d+) - ")
NO_EMA = " - no-ema"


class Artifacts:
    """Stands before a model saver. An artifact is told once OneTrainer has gone on: a backup's config comes last."""

    def __init__(self, training):
        self._training = training
        self._unreported = []

    def watch(self, saver):
        save = saver.save

        def guarded_save(model, model_type, output_model_format, output_model_destination, dtype):
            path = Path(output_model_destination)
            kind = self._kind(path, str(output_model_format))
            if kind == "model" and not self._training.bridge.final_model_wanted():
                return
            try:
                self._training.refuse_bad_weights()
                if kind == "model":
                    keep_aside(path)
                save(model, model_type, output_model_format, output_model_destination, dtype)
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

    def report(self):
        written, self._unreported = self._unreported, []
        for kind, path, progress in written:
            if path.exists():
                self._training.callbacks.on_artifact(kind, path, progress, **facts(path))
                self._training.bridge.done(kind, str(path))
            else:
                self._training.bridge.failed(kind, "OneTrainer could not write it; the log says why")


def facts(path):
    """Size, and the checksum of a single file."""
    if path.is_dir():
        return {"size": sum(file.stat().st_size for file in path.rglob("*") if file.is_file())}
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}


def keep_aside(path):
    """Rename what lies there, as OneTrainer would overwrite it."""
    if path.exists():
        stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        path.rename(path.with_name(f"{path.stem}-before-{stamp}{path.suffix}"))


class Samples:
    """Stands before a sampler, and knows of each file by which prompt and seed it was made."""

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
                text = f"The sample of {sample_config.prompt!r} could not be drawn: {error}"
                self._training.callbacks.on_warning(text)
                if self._is_custom():
                    self._training.bridge.failed("sample_custom", error)
                raise

        sampler.sample = told_draw
        return sampler

    def keep(self, save):
        """Names are made of whole seconds, so that two samples of one second would be one file."""

        def save_under_free_name(sampler_output, destination, *args, **kwargs):
            free = unused(Path(destination))
            save(sampler_output, str(free), *args, **kwargs)
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
    """For a pattern: a prefix of file names may hold brackets."""
    return re.sub(r"([*?[])", r"[\1]", name)
