"""Presets with versions: list, import, export, OneTrainer's own."""
