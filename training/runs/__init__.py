"""The things users do with runs: start, stop, continue, retry, keep, delete; the buttons are in `actions.py`."""
