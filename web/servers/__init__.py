"""uvicorn and daphne with the site's limits, which each of them applies before the site sees a request."""
