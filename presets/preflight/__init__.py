"""The check of a config on the worker before a run is queued."""
