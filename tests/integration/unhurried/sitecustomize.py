"""Python runs this first if it is on PYTHONPATH.

A built-in training then waits a moment after each step: an endless training of a tiny model would take a whole CPU core
from the tested site. A template is forked from the nursery, if the environment names one.
"""

import os
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
if "TESTS_NURSERY" in os.environ:
    from handing_over import hand_over, is_template

    if is_template(sys.orig_argv):
        hand_over(sys.orig_argv)
