"""How far a run is: its speed, the time left, its state for clients, and why it waits."""
