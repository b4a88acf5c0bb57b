"""The log of a run: its last lines, parts of it, and the search."""
