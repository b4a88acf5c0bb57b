"""Read, check, migrate and compare configs, and check the paths in them."""
