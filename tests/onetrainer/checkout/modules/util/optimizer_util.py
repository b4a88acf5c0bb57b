"""The parameters of each optimizer, with its own defaults."""

from modules.util.enum.kinds import Optimizer

OPTIMIZER_DEFAULT_PARAMETERS = {Optimizer.ADAMW: {"beta1": 0.9}}
