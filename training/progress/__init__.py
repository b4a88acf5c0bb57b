"""The progress of a run: its speed, the time left, its state for clients, and why it waits."""
