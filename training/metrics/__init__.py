"""Metrics of a run: summaries, thinning and charts."""
