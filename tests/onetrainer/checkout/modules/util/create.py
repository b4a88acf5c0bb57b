"""Makes the trainer."""

from modules.trainer.GenericTrainer import GenericTrainer


def create_trainer(config, callbacks, commands, reattach=False):
    return GenericTrainer(config, callbacks, commands)
