"""The worker process of a GPU: it claims runs, starts engine processes, reads their journals and does jobs."""
