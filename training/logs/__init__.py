"""The log of a run: its last lines, pieces of it, and searching it."""
