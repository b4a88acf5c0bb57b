"""Template tags about runs."""
