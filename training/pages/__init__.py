"""The pages of one run, of a new run and of the queue; `actions.py` has the buttons' addresses."""
