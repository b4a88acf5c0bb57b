"""One training: OneTrainer's trainer, with a listener on all its reports and a check before all its writes.

OneTrainer's modules are imported inside methods, so that a failed import is explained and reported.
"""

from pathlib import Path
from typing import Any

from engine.interface.errors import BadData, NotFinite
from engine.interface.progress import TrainProgress
from engine.onetrainer.driver_commands import Bridge
from engine.onetrainer.driver_failures import NOT_FINITE, explained
from engine.onetrainer.driver_files import Artifacts, Samples
from engine.onetrainer.driver_position import Position
from engine.onetrainer.driver_reports import Metrics, guarded
from engine.onetrainer.driver_stopping import Stopped, stop_between_pictures

PHASES = {
    "Training ...": "training",
    "Sampling ...": "sampling",
    "Saving": "saving",
    "Saving the final model": "saving",
    "Creating backup": "backup",
    "Caching": "caching",
    "Starting epoch/caching": "caching",
    "creating the data loader/caching": "caching",
    "Calculating validation loss": "training",
}


class DriverTraining:
    """Puts itself between OneTrainer's classes and the attempt's journal, then trains."""

    def __init__(self, config, reporter, keep_backups=None, resume_from=None):
        from modules.util.commands.TrainCommands import TrainCommands

        self.config = config
        self.reporter = reporter
        self.callbacks = reporter.callbacks()
        self.progress = TrainProgress()
        self.max_step = None
        self.inner: Any = None  # the trainer that trains; with several GPUs another trainer wraps it
        self.phase = ""
        self.commands = TrainCommands()
        self.metrics = Metrics(self.callbacks)
        self.bridge = Bridge(self, reporter.commands, self.commands)
        self.artifacts = Artifacts(self, keep_backups)
        self.samples = Samples(self)
        self.position = Position(resume_from, self.callbacks.on_warning)

    def run(self):
        """Train to the end; return how it ended. Raises a TrainingError for a known failure."""
        try:
            with explained(self.config):
                return self._train()
        except Exception as error:
            self.bridge.refuse_all(f"The training failed first: {error}")
            raise

    def _train(self):
        from modules.util import create

        self.say("loading the model")
        self.artifacts.tidy_up()
        self._put_in_place()
        trainer = create.create_trainer(self.config, self._onetrainers_callbacks(), self.commands)
        trainer.start()
        trainer.train()
        self._must_have_trained()
        trainer.end()
        self.artifacts.report()
        self.bridge.close()
        return "stopped" if self.reporter.commands.stop_requested else "finished"

    def say(self, status, phase=None):
        self.callbacks.on_update_status(status)
        phase = phase or PHASES.get(status, "loading")
        if phase != self.phase:
            self.phase = phase
            self.callbacks.on_phase(phase)

    # -- called by OneTrainer ----------------------------------------------------------------------------------

    def _onetrainers_callbacks(self):
        from modules.util.callbacks.TrainCallbacks import TrainCallbacks

        return TrainCallbacks(
            on_update_train_progress=guarded(self.callbacks, self._on_progress),
            on_update_status=guarded(self.callbacks, self._on_status),
            on_sample_default=guarded(self.callbacks, self.samples.drawn),
            on_sample_custom=guarded(self.callbacks, self.samples.drawn),
            on_update_sample_default_progress=self.callbacks.on_update_sample_default_progress,
            on_update_sample_custom_progress=self.callbacks.on_update_sample_custom_progress,
        )

    def _on_progress(self, progress, max_step, max_epoch):
        self._copy(progress)
        self.max_step = max_step
        self.metrics.step_done()
        self.callbacks.on_update_train_progress(self.progress, max_step, max_epoch)
        self.artifacts.report()
        self.bridge.between_steps()

    def _on_status(self, status):
        self.artifacts.report()
        self.bridge.heard(status)
        self.say(status)

    def _copy(self, progress):
        self.progress = TrainProgress(progress.epoch, progress.epoch_step, progress.epoch_sample, progress.global_step)

    # -- guards ------------------------------------------------------------------------------------------------

    def _put_in_place(self):
        from modules.modelSampler.BaseModelSampler import BaseModelSampler
        from modules.trainer import GenericTrainer as module  # noqa: N813  a file and its class have one name
        from modules.trainer.BaseTrainer import BaseTrainer

        self.position.put_in_place()
        if not self.config.multi_gpu:  # the other processes would wait for this one
            stop_between_pictures(lambda: self.reporter.commands.stop_requested is not None)
        module.SummaryWriter = self.metrics.writer(module.SummaryWriter)
        self._guard(module.GenericTrainer)
        make_saver, make_sampler = BaseTrainer.create_model_saver, BaseTrainer.create_model_sampler
        BaseTrainer.create_model_saver = lambda trainer: self.artifacts.watch(make_saver(trainer))
        BaseTrainer.create_model_sampler = lambda trainer, model: self.samples.watch(make_sampler(trainer, model))
        BaseModelSampler.save_sampler_output = staticmethod(self.samples.keep(BaseModelSampler.save_sampler_output))

    def _guard(self, kind):
        """After a failure, end() closes files and writes nothing; MultiTrainer calls it by itself."""
        train, end = kind.train, kind.end

        def guarded_train(trainer):
            self.inner = trainer
            self._copy(trainer.model.train_progress)
            try:
                train(trainer)
            except Stopped:
                return  # as after a step: the trained steps are written by end()
            except BaseException:
                trainer.one_step_trained = False
                self.metrics.flush()
                end(trainer)
                raise
            finally:
                self.metrics.flush()

        def guarded_end(trainer):
            if trainer.one_step_trained:
                self.refuse_bad_weights()
            end(trainer)

        kind.train, kind.end = guarded_train, guarded_end
        kind._GenericTrainer__prune_backups = lambda trainer, count: self.artifacts.roll(count)

    def refuse_bad_weights(self):
        """The last step can break the weights although its own loss was finite. Raises NotFinite."""
        for parameter in self.inner.parameters:
            if not bool(parameter.isfinite().all()):
                raise NotFinite(NOT_FINITE.format(error="the weights are not finite"))

    def _must_have_trained(self):
        """OneTrainer reports success if there was nothing to train."""
        if self.config.only_cache or self.reporter.commands.stop_requested or self.inner.one_step_trained:
            return
        if self.max_step == 0:
            raise BadData("The pictures do not fill a batch: add pictures to the concepts, or lower batch_size.")
        if self.max_step is None:
            raise BadData("No step was trained, so there is no model to save: raise epochs.")
        if self.progress.global_step == self.position.first_step:
            raise BadData(
                f"No step was trained: the backup's position in its epoch is behind the {self.max_step} steps of an "
                "epoch of the present data. Raise epochs, or continue from a backup of an earlier epoch."
            )
        raise BadData("The optimizer made no step: lower gradient_accumulation_steps, or raise epochs.")

    @property
    def workspace(self):
        return Path(self.config.workspace_dir)
