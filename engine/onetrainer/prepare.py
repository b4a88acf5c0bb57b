"""The imports of a training by OneTrainer, done in advance in a template, by OneTrainer's own Python."""

import os
from pathlib import Path


def prepare() -> None:
    """Import OneTrainer and the driver's training modules, so that the driver finds them loaded."""
    from engine.onetrainer.driver import find_modules, gpu_reader

    gpu_reader()
    find_modules(Path(os.environ["ONETRAINER_HOME"]).resolve())
    from modules.util import create, optimizer_util  # noqa: F401
    from modules.util.callbacks import TrainCallbacks  # noqa: F401
    from modules.util.commands import TrainCommands  # noqa: F401
    from modules.util.config import TrainConfig  # noqa: F401

    import engine.interface.reporting
    import engine.onetrainer.driver_config
    import engine.onetrainer.driver_gpus
    import engine.onetrainer.driver_training  # noqa: F401
