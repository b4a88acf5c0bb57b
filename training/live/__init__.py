"""Live updates: the publisher, the hub of each web process, and the WebSocket consumers."""
