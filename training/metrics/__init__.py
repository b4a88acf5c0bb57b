"""Metrics of a run: summaries, thinning, and the charts drawn from them."""
