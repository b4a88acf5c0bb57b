"""The classes that a config may name to be imported; any other name would be a program that a config chooses."""

from __future__ import annotations

MODULE = "torch.optim.lr_scheduler"
# those that literals can configure, and that need nothing but the count of updates
SCHEDULERS = (
    *("ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LinearLR"),
    *("MultiStepLR", "OneCycleLR", "PolynomialLR", "StepLR"),
)


def import_refusal(name: str) -> str:
    """Why this class is not imported, and what to do; empty if it may be."""
    module, _, own = name.rpartition(".")
    if module == MODULE and own in SCHEDULERS:
        return ""
    return f"{name[:100]!r} is not imported here; enter {MODULE} followed by one of {', '.join(SCHEDULERS)}"
