"""The built-in trainer's mathematics against OneTrainer's: the cases, ours, and a script that asks a real checkout."""
