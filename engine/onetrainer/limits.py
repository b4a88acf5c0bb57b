"""What OneTrainer cannot do in a run's present state, for the site before it sends a command, and for the driver.

Standard library only: both the site and the driver's process import it.
"""

PAUSED = "The run is paused: continue it first."
SEVERAL_GPUS = "A training on several GPUs cannot be paused: stop it, and resume from its backup."
NOT_WHILE_PAUSED = {"sample_default", "sample_custom", "backup", "save"}  # it does these between two of its own steps


WAITS = {  # OneTrainer cannot interrupt these
    "loading": "It ends once its model is loaded, without training.",
    "sampling": "It ends once the present samples are generated.",
    "backup": "It ends once the present backup is written.",
}
WAITS_WITH_SEVERAL_GPUS = {"caching": "It ends once all pictures are cached, and one step is trained."}


def until_stopped(phase, config):
    """Until when a requested stop waits in this phase, in a sentence; empty if it ends after a step or a picture."""
    waits = WAITS | (WAITS_WITH_SEVERAL_GPUS if config.get("multi_gpu") else {})
    return waits.get(phase, "")


def why_not(kind, config, is_paused):
    """The reason why a command would be refused; empty if it would be accepted."""
    if is_paused and kind in NOT_WHILE_PAUSED:
        return PAUSED
    if kind == "pause" and config.get("multi_gpu"):
        return SEVERAL_GPUS
    return ""
