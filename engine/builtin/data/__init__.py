"""Pictures and captions: reading, bucketing, caching and batching them."""
