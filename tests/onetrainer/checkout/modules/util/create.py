"""Makes the trainer."""

from modules.trainer.GenericTrainer import GenericTrainer
from modules.trainer.MultiTrainer import MultiTrainer


def create_trainer(config, callbacks, commands, reattach=False):
    return (MultiTrainer if config.multi_gpu else GenericTrainer)(config, callbacks, commands)
