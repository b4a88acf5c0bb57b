"""OneTrainer, run with its own classes: driver, schema export, facts, workspaces."""
