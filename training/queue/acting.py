"""The user on whose behalf runs are changed."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User


class ForUser:
    """Acts for a user, whose name the timeline stores; None or an anonymous user means nobody."""

    def __init__(self, user: User | AnonymousUser | None = None) -> None:
        self.user = user if user is not None and user.is_authenticated else None
