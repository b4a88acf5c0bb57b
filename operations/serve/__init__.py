"""`manage.py serve`: which processes it starts and watches, the first start, and the demo."""
