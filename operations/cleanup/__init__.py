"""What takes how much room, what may go, and its removal: counted and removed by a worker, chosen in pages and API."""
