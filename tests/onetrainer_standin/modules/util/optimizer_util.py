from modules.util.enum.Optimizer import Optimizer

OPTIMIZER_DEFAULT_PARAMETERS = {
    Optimizer.ADAMW: {"beta1": 0.9, "weight_decay": 0.01},
    Optimizer.PRODIGY: {"beta1": 0.9, "growth_rate": float("inf")},
}
