"""Errors that a user can act on.

The docstring is the sentence that the user reads, `status` the HTTP status. `web.api.exceptions` turns errors into
responses of the API, `web.middleware.ErrorPages` into pages.
"""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class DomainError(Exception):
    """This cannot be done."""

    status = 400
    retry_after: int | None = None  # seconds after which it is worth trying again

    def __init__(self, message: str | None = None) -> None:
        super().__init__(_ended(in_one_line(message or type(self).__doc__ or "")))


def in_one_line(text: str) -> str:
    """The text with control characters as escapes: names that users send may contain line breaks."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def _ended(sentence: str) -> str:
    """The message as a sentence with a full stop, since engines' messages about fields have none."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


class NotFound(DomainError):
    """This does not exist."""

    status = 404


class NotNow(DomainError):
    """The run's state does not allow this now."""

    status = 409


class StaleDraft(NotNow):
    """This draft was changed elsewhere: check its newest state, then make your change again."""


class BadInput(DomainError):
    """The request is invalid."""

    def __init__(self, message: str | None = None, errors: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.errors = {name: [in_one_line(text) for text in texts] for name, texts in (errors or {}).items()}


class NotReady(BadInput):
    """The site is not ready for this request yet: try again in a moment."""

    status = 503


class Forbidden(DomainError):
    """You may view this but not change it: ask an admin to add you to the group 'trainers'."""

    status = 403
