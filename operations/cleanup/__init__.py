"""Disk usage and deletion: a worker counts and deletes; pages and API choose."""
