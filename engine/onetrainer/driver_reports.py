"""Metrics from OneTrainer's TensorBoard output, and callbacks whose failures are not swallowed."""

import time
import traceback
from typing import Any

from engine.onetrainer.scalars import metric_name


def guarded(callbacks, function):
    """OneTrainer drops a callback's exceptions: this reports them, and training continues."""

    def call(*args):
        try:
            function(*args)
        except Exception as error:
            callbacks.on_warning(f"A report of the training failed: {error}", traceback.format_exc())

    return call


class Metrics:
    """Collects the scalars of one step, and reports them together after the step."""

    def __init__(self, callbacks):
        self._callbacks = callbacks
        self._values = {}
        self._step = 0
        self._timed = None
        self._lacks_file = False

    def writer(self, kind: Any) -> Any:
        """A SummaryWriter for OneTrainer that reports each scalar here too."""
        metrics = self

        class ToldSummaryWriter(kind):
            def add_scalar(self, tag, scalar_value, global_step=None, *args, **kwargs):
                metrics.try_to_write(super().add_scalar, tag, scalar_value, global_step, *args, **kwargs)
                metrics.add(tag, float(scalar_value), global_step or 0)

            def close(self):
                metrics.try_to_write(super().close)

        return ToldSummaryWriter

    def try_to_write(self, write, *args, **kwargs):
        """TensorBoard's own file is a copy: a full disk under it must not end a training."""
        try:
            write(*args, **kwargs)
        except OSError as error:
            if not self._lacks_file:
                self._lacks_file = True
                self._callbacks.on_warning(f"TensorBoard's file cannot be written ({error}); training continues.")

    def add(self, tag, value, step):
        if step != self._step:
            self.flush()
            self._step = step
        self._values[metric_name(tag)] = value

    def step_done(self):
        now = time.monotonic()
        if self._timed is not None and "loss" in self._values:
            self._values["steps_per_second"] = 1 / max(1e-6, now - self._timed)
        self._timed = now
        self.flush()

    def flush(self):
        if self._values:
            values, self._values = self._values, {}
            self._callbacks.on_metrics(self._step, values)
