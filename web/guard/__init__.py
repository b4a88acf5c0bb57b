"""Applies the limits of `web/limits` to requests: before the site reads them, and before a view is called."""
