"""Browsing folders, and previews of the pictures of a concept."""
