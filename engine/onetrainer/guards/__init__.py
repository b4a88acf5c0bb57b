"""What OneTrainer's own process refuses, whoever started it: names to import, programs in weights, swapped paths."""
