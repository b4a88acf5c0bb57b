"""The check of a config by a worker before a run is queued."""
