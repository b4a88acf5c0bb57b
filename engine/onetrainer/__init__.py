"""OneTrainer driven with its own classes: driver, schema export, facts, workspaces."""
