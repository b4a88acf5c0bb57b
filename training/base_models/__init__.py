"""The page and API of base models, and the runs that use them."""
