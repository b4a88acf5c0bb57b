"""Python runs this first if it is on PYTHONPATH: a built-in training then waits a moment after each step.

An endless training of a tiny model would take a whole CPU core from the tested site.
"""

import sys
import time

STEP_SECONDS = 0.05


class Finder:
    """Finds no module itself; torch is available when the trainer is imported, and only engines import it."""

    def find_spec(self, name, path=None, target=None):
        if name == "engine.builtin.trainer":
            from torch.optim.optimizer import register_optimizer_step_post_hook

            register_optimizer_step_post_hook(lambda *_: time.sleep(STEP_SECONDS))


sys.meta_path.insert(0, Finder())
