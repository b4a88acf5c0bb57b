"""Runs the steps of a training, without a model: the loss falls, and is NaN if the learning rate is huge."""

import copy
import json
import math
import os
import shutil
import time
import traceback
from datetime import datetime

from mgds.LoadingPipeline import LoadingPipeline
from mgds.pipelineModules.DiskCache import DiskCache
from modules.trainer.BaseTrainer import BaseTrainer
from modules.util.enum.kinds import ConceptType, EMAMode, ModelFormat, TimeUnit

TOO_FAST = 1e6
TOO_LARGE = 100_000  # pixels along a side


class UnidentifiedImageError(OSError):
    pass


class SummaryWriter:
    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self._file = open(os.path.join(folder, "scalars.jsonl"), "a")

    def add_scalar(self, tag, scalar_value, global_step=None):
        self._file.write(json.dumps([tag, scalar_value, global_step]) + "\n")

    def close(self):
        self._file.close()


class Progress:
    def __init__(self):
        self.epoch = self.epoch_step = self.epoch_sample = self.global_step = 0

    def name(self):
        return f"{self.global_step}-{self.epoch}-{self.epoch_step}"


class Number:
    """The only weight: it can say whether it is finite, as a tensor does."""

    value = 1.0

    def isfinite(self):
        return self

    def all(self):
        return math.isfinite(self.value)

    def numel(self):
        return 1

    def element_size(self):
        return 8


class Model:
    def __init__(self):
        self.train_progress = Progress()


def stamp():
    return datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


class GenericTrainer(BaseTrainer):
    def __init__(self, config, callbacks, commands):
        self.config, self.callbacks, self.commands = config, callbacks, commands
        self.tensorboard = SummaryWriter(os.path.join(config.workspace_dir, "tensorboard", stamp()))
        self.one_step_trained = False
        self.model = self.rates = None

    def start(self):
        if self.config.clear_cache_before_training:
            shutil.rmtree(os.path.join(self.config.cache_dir, "image"), ignore_errors=True)
        self.callbacks.on_update_status("loading the model")
        while os.path.exists(self.config.base_model_name + ".held"):  # loading takes as long as a test wants
            time.sleep(0.01)
        self._load()
        self.model = Model()
        if self.config.continue_last_backup:
            self.callbacks.on_update_status("searching for previous backups")
            with open(os.path.join(self.config.get_last_backup_path(), "meta.json")) as file:
                vars(self.model.train_progress).update(json.load(file)["train_progress"])
        self.callbacks.on_update_status("loading the model")
        self.callbacks.on_update_status("running model setup")
        self.callbacks.on_update_status("creating the data loader/caching")
        self.create_data_loader(self.model, None, self.model.train_progress)
        self.model_saver = self.create_model_saver()
        self.model_sampler = self.create_model_sampler(self.model)
        self.parameters = [Number()]

    def _load(self):
        """As in OneTrainer, each way of loading is tried, and the error names the base model whatever is missing."""
        try:
            for name in (self.config.base_model_name, self.config.vae.model_name):
                if name and not os.path.isdir(name):
                    raise OSError(f"{name} is not a folder")
        except OSError:
            print("Exception: not an internal model")  # noqa: T201
            print(traceback.format_exc())  # noqa: T201
            raise Exception("could not load model: " + self.config.base_model_name) from None

    def train(self):
        from modules.util import create  # which imports this module

        progress, config = self.model.train_progress, self.config
        for _ in range(progress.epoch, config.epochs):
            if self.commands.stopped:
                return
            self.callbacks.on_update_status("Starting epoch/caching")
            steps = self._cache() // config.batch_size
            self._buckets(int(config.resolution))
            if int(config.resolution) > TOO_LARGE:
                raise RuntimeError("CUDA out of memory. Tried to allocate 9.00 TiB.")
            if self.rates is None:
                self.rates = create.create_lr_scheduler(
                    config=config,
                    num_epochs=config.epochs,
                    approximate_epoch_length=steps,
                    gradient_accumulation_steps=config.gradient_accumulation_steps,
                    global_step=progress.global_step,
                )
            pictures = LoadingPipeline((steps - progress.epoch_step) * config.batch_size)
            for _ in range(progress.epoch_step, steps):
                for _picture in range(config.batch_size):
                    next(pictures)
                self._before_step()
                self._step()
                self._validate()
                progress.epoch_step += 1
                progress.epoch_sample += config.batch_size
                progress.global_step += 1
                self.callbacks.on_update_train_progress(progress, steps, config.epochs)
                if self.commands.stopped:
                    return
            progress.epoch += 1
            progress.epoch_step = progress.epoch_sample = 0
            self.callbacks.on_update_train_progress(progress, steps, config.epochs)

    def _cache(self):
        concepts = [one for one in self.config.concepts if one.type is ConceptType.STANDARD]
        pictures = [path for one in concepts for path in self._pictures(one.path)]
        DiskCache(os.path.join(self.config.cache_dir, "image"), pictures).start()
        return len(pictures)

    def _buckets(self, size):
        """Pictures are cut to multiples of 8."""
        return size / round(size / 16)

    def _pictures(self, folder):
        names = [name for name in os.listdir(folder) if name.endswith(".png")]
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                if not file.read(4) == b"\x89PNG":
                    raise UnidentifiedImageError(f"cannot identify image file {name!r}")
        return [os.path.join(folder, name) for name in sorted(names)]

    def _before_step(self):
        step, every = self.model.train_progress.global_step, self.config.sample_after
        if step % self.config.gradient_accumulation_steps:
            return  # commands wait while a gradient is held
        due = self.config.sample_after_unit is TimeUnit.STEP and step % every == 0
        asked = self.commands.take("sample_default")
        samples, self.commands.samples = self.commands.samples, []
        if due or asked:
            self._sample_all(self.config.samples, False)
        if samples:
            self._sample_all(samples, True)
        if self.commands.take("backup"):
            self._backup()
        if self.commands.take("save"):
            self.callbacks.on_update_status("Saving")
            name = f"{stamp()}-save-{self.model.train_progress.name()}.safetensors"
            self._save(self.config.output_model_format, os.path.join(self.config.workspace_dir, "save", name))

    def _step(self):
        self.callbacks.on_update_status("Training ...")
        time.sleep(0.002)
        step = self.model.train_progress.global_step
        if (step + 1) % self.config.gradient_accumulation_steps:
            return
        loss = math.nan if self.config.learning_rate > TOO_FAST else 1 / (step + 1)
        self.tensorboard.add_scalar("lr/unet", next(self.rates), step)
        if math.isnan(loss):
            self.parameters[0].value = math.nan
            raise RuntimeError("Training loss became NaN.")
        self.tensorboard.add_scalar("loss/train_step", loss, step)
        self.tensorboard.add_scalar("smooth_loss/train_step", loss, step)
        if self.config.ema is not EMAMode.OFF:
            self.tensorboard.add_scalar("ema_decay", 0.5, step)
        self.one_step_trained = True

    def _validate(self):
        """Of OneTrainer's moments for validation only the tested one: after each step."""
        if not self.config.validation or self.config.validate_after_unit is not TimeUnit.STEP:
            return
        self.callbacks.on_update_status("Calculating validation loss")
        names = [one.name for one in self.config.concepts if one.type is ConceptType.VALIDATION]
        for name in names + ["total_average"] * (len(names) > 1):
            self.tensorboard.add_scalar(f"loss/validation_step/{name}", 0.5, self.model.train_progress.global_step)

    def _sample_all(self, samples, custom):
        self.callbacks.on_update_status("Sampling ...")
        self._draw(samples, custom, "")
        if self.config.ema is not EMAMode.OFF and self.config.non_ema_sampling and not custom:
            self._draw(samples, custom, " - no-ema")

    def _draw(self, samples, custom, postfix):
        name = f"{stamp()}-training-sample-{self.model.train_progress.name()}"
        for index, sample in enumerate(samples):
            folder = "custom" if custom else f"{index} - {sample.prompt[:32]}{postfix}"
            try:
                self.model_sampler.sample(
                    sample_config=copy.copy(sample),
                    destination=os.path.join(self.config.workspace_dir, "samples", folder, name),
                    image_format=self.config.sample_image_format,
                    video_format=None,
                    audio_format=None,
                    on_sample=self.callbacks.on_sample_custom if custom else self.callbacks.on_sample_default,
                    on_update_progress=self.callbacks.on_update_sample_default_progress,
                )
            except Exception:
                traceback.print_exc()

    def _backup(self):
        self.callbacks.on_update_status("Creating backup")
        name = f"{stamp()}-backup-{self.model.train_progress.name()}"
        path = os.path.join(self.config.workspace_dir, "backup", name)
        try:
            self._save_backup(path)
        except Exception:
            traceback.print_exc()
            shutil.rmtree(path, ignore_errors=True)
        finally:
            if self.config.rolling_backup:
                self.__prune_backups(self.config.rolling_backup_count)

    def __prune_backups(self, count):
        folder = os.path.join(self.config.workspace_dir, "backup")
        for name in sorted(os.listdir(folder), reverse=True)[count:]:
            shutil.rmtree(os.path.join(folder, name))

    def _save_backup(self, path):
        self._write(ModelFormat.INTERNAL, path)
        self._save_embeddings(os.path.join(path, "embeddings"))
        folder = os.path.join(path, "onetrainer_config")
        os.makedirs(folder)
        with open(os.path.join(folder, "args.json"), "w") as file:
            json.dump({**self.config.to_dict(), "concepts": None, "samples": None, "secrets": None}, file)
        for file, name in (
            (self.config.concept_file_name, "concepts.json"),
            (self.config.sample_definition_file_name, "samples.json"),
        ):
            if os.path.isfile(file):
                shutil.copy2(file, os.path.join(folder, name))

    def _save_embeddings(self, folder):
        for one in self.config.additional_embeddings:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"{one.uuid}.safetensors"), "wb") as file:
                file.write((2).to_bytes(8, "little") + b"{}")

    def _save(self, kind, path):
        try:
            self._write(kind, path)
        except Exception:
            traceback.print_exc()

    def _write(self, kind, path):
        self.model_saver.save(
            model=self.model,
            model_type=self.config.model_type,
            output_model_format=kind,
            output_model_destination=path,
            dtype=None,
        )

    def end(self):
        if self.one_step_trained:
            if self.config.backup_before_save:
                self._backup()
            self.callbacks.on_update_status("Saving the final model")
            self._write(self.config.output_model_format, self.config.output_model_destination)
        self.tensorboard.close()
