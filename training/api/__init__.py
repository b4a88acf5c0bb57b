"""The REST API of runs, of their queue, and of the single trainer."""
