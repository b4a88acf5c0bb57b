"""Runs and what belongs to them: their history, queue, progress, metrics, logs, pages and API."""
