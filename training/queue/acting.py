"""Whoever asks for something to be done with runs."""

from __future__ import annotations

from typing import Any


class ForUser:
    """Does things for a user, whose name the timeline keeps; None, or a visitor, stands for nobody."""

    def __init__(self, user: Any = None):
        self.user = user if user is not None and user.is_authenticated else None
