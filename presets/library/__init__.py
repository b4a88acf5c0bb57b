"""Presets with versions: lists, import, export, and OneTrainer's own presets."""
