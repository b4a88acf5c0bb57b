"""Python runs this first where it lies on PYTHONPATH: a built-in training then waits a moment after each step.

An endless training of a tiny model would take a whole processor from the site that is looked at.
"""

import sys
import time

STEP_SECONDS = 0.05


class Finder:
    """Finds no module itself; torch is there when the trainer is asked for, and only engines ask for that."""

    def find_spec(self, name, path=None, target=None):
        if name == "engine.builtin.trainer":
            from torch.optim.optimizer import register_optimizer_step_post_hook

            register_optimizer_step_post_hook(lambda *_: time.sleep(STEP_SECONDS))


sys.meta_path.insert(0, Finder())
