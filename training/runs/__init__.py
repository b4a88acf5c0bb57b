"""What people do with runs: start, stop, continue, retry, keep, remove; buttons in `actions.py`."""
