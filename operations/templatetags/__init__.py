"""Template tags about the site."""
