"""Each family of models, and what the trainer promises for every one of them."""
