"""Base models: those on this machine, and fetching others by a name on the hub or by an address."""
