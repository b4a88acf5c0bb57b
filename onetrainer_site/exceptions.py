"""How errors leave the API: one sentence in `detail`, and `errors` by field."""

from rest_framework.views import exception_handler as answer_error

__all__ = ["answer_error"]
