"""The check of a config for OneTrainer on the machine that will train it: its models, its data, and its memory."""
