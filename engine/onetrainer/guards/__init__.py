"""What OneTrainer's own process refuses by itself: names to import, programs in weights, swapped paths."""
