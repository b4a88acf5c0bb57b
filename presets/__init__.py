"""Presets, the configs in them, and everything that edits or checks a config."""
