"""One training step and its parts: optimizers, losses, EMA, samples, intervals."""
