"""The order of waiting runs, and the actions that change it."""
