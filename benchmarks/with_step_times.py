"""Runs a script of OneTrainer's Python with a note of each step: `with_step_times.py NOTES SCRIPT [ARGUMENT]...`.

A line of NOTES, written as OneTrainer hands a step's loss to TensorBoard, is the time, the CPU seconds of the process
so far, and those within OneTrainer's callbacks, which do nothing but for the driver.
"""

import runpy
import sys
import time
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

CALLBACKS = ("on_update_train_progress", "on_update_status")


class InCallbacks:
    """Sums up what the callbacks take of the thread that trains."""

    def __init__(self):
        self.seconds = 0.0

    def timed(self, callback):
        def call(*args):
            began = time.thread_time()
            callback(*args)
            self.seconds += time.thread_time() - began

        return call


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    from modules.util.callbacks.TrainCallbacks import TrainCallbacks

    sys.path.pop(0)
    notes = Path(sys.argv[1]).open("w", buffering=1)  # noqa: SIM115  until the process ends
    del sys.argv[:2]
    in_callbacks = InCallbacks()
    for name in CALLBACKS:
        setattr(TrainCallbacks, name, in_callbacks.timed(getattr(TrainCallbacks, name)))
    add_scalar = SummaryWriter.add_scalar

    def noted_add_scalar(self, tag, *args, **kwargs):
        if tag == "loss/train_step":
            notes.write(f"{time.time()} {time.process_time()} {in_callbacks.seconds}\n")
        add_scalar(self, tag, *args, **kwargs)

    SummaryWriter.add_scalar = noted_add_scalar  # type: ignore[method-assign]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
