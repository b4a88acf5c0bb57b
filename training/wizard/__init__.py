"""The wizard: from five answers to a config that trains, with a reason for each choice."""
