"""Configs: reading, checking, migrating, comparing them, and the paths that they name."""
