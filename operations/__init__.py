"""Looking after a site: serve, clean-up, doctor, archive, OneTrainer workspaces."""
