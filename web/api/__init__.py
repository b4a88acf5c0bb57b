"""Shared parts of all apps' APIs: parsers, errors, pages of lists, filters, throttling."""
