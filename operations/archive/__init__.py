"""The whole installation in one file, and back: `manage.py export_all` and `manage.py import_all`."""
