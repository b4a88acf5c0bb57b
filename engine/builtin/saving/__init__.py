"""Writing models, backups and the state for an exact resume."""
