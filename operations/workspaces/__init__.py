"""OneTrainer workspaces: taking runs in, and following a training elsewhere."""
