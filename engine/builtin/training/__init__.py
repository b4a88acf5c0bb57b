"""One training step and what belongs to it: optimizers, losses, EMA, samples, intervals."""
