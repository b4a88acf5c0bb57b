"""The commands that OneTrainer refuses in a run's present state, for the site before it sends one, and for the driver.

Standard library only: both the site and the driver's process import it.
"""

CLOUD = "This site trains on its own machines: turn this off, or use OneTrainer itself."
PAUSED = "The run is paused: continue it first."
SEVERAL_GPUS = "A training on several GPUs cannot be paused: stop it, and resume from its backup."
NOT_WHILE_PAUSED = {"sample_default", "sample_custom", "backup", "save"}  # it does these between two of its own steps


def why_not(kind, config, is_paused):
    """The reason why a command would be refused; empty if it would be accepted."""
    if is_paused and kind in NOT_WHILE_PAUSED:
        return PAUSED
    if kind == "pause" and config.get("multi_gpu"):
        return SEVERAL_GPUS
    return ""
