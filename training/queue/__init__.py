"""The order of waiting runs, and what one can do to it."""
