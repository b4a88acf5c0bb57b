"""How much memory and disk a training will need."""
