"""Errors that a user can act on.

The docstring is the sentence that the user reads, `status` the HTTP status. `web.api.exceptions` turns them into
answers of the API, `web.middleware.ErrorPages` into pages.
"""

from __future__ import annotations


class DomainError(Exception):
    """This cannot be done."""

    status = 400

    def __init__(self, message: str | None = None):
        super().__init__(_ended(message or type(self).__doc__ or ""))


def _ended(sentence: str) -> str:
    """With a full stop: what an engine says of a field is only a part of a sentence."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


class NotFound(DomainError):
    """There is no such thing."""

    status = 404


class NotNow(DomainError):
    """The run's state does not allow this now."""

    status = 409


class StaleDraft(NotNow):
    """This draft was changed elsewhere since: look at its newest state, then make your change again."""


class BadInput(DomainError):
    """The request is not understood."""

    def __init__(self, message: str | None = None, errors: dict[str, list[str]] | None = None):
        super().__init__(message)
        self.errors = errors or {}


class NotReady(BadInput):
    """Something that the request needs is not ready yet: try again in a moment."""

    status = 503


class Forbidden(DomainError):
    """You may look at this but not change it: ask an admin to put you into the group 'trainers'."""

    status = 403
