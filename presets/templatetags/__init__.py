"""Template tags about settings."""
