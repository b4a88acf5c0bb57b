"""Makes the trainer."""

import itertools

from modules.trainer.GenericTrainer import GenericTrainer
from modules.trainer.MultiTrainer import MultiTrainer


def create_lr_scheduler(config, num_epochs, approximate_epoch_length, gradient_accumulation_steps, global_step=0):
    """The falling learning rate after each update from the present update on."""
    updates = int(approximate_epoch_length * num_epochs / gradient_accumulation_steps)
    begin = int(global_step / gradient_accumulation_steps)
    return (config.learning_rate * max(0, 1 - update / updates) for update in itertools.count(begin + 1))


def create_trainer(config, callbacks, commands, reattach=False):
    return (MultiTrainer if config.multi_gpu else GenericTrainer)(config, callbacks, commands)
