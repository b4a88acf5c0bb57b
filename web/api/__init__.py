"""What the API of every app shares: parsers, errors, pages of lists, filters, throttling."""
