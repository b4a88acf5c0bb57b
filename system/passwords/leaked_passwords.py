"""Passwords that were leaked somewhere are refused, by a list on this machine: no part of a password leaves it.

The list is a file of sorted SHA-1 hashes in hexadecimal, one in each line, perhaps with a colon and a count: the form
in which Have I Been Pwned offers it. It has about 40 GB, so it is searched by halves, with about 40 short reads.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)
LONGEST_LINE = 100  # bytes; a hash has 40, and a count follows


class LeakedPasswordValidator:
    """Refuses passwords in the file that LEAKED_PASSWORDS names; without it, all pass."""

    def validate(self, password: str, user: User | None = None) -> None:
        if settings.LEAKED_PASSWORDS and is_leaked(settings.LEAKED_PASSWORDS, password):
            raise ValidationError(
                _("This password is in a list of leaked passwords, which attackers try first: choose another."),
                code="password_leaked",
            )

    def get_help_text(self) -> str:
        return _("Your password can’t be a known leaked password.")


def is_leaked(path: Path, password: str) -> bool:
    """Whether the sorted list has the password's hash; a list that cannot be read refuses nothing, and is logged."""
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    try:
        with path.open("rb", buffering=LONGEST_LINE) as file:
            return _has_line(file, wanted)
    except OSError as error:
        logger.error("LEAKED_PASSWORDS cannot be read, so leaked passwords are accepted: %s", error)
        return False


def _has_line(file: BinaryIO, wanted: bytes) -> bool:
    """Search by halves over byte positions; each look reads the first whole line at or after a position."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        line = _line_from(file, middle)
        if line[:40].upper() == wanted:
            return True
        if line and line[:40].upper() < wanted:
            low = middle + 1
        else:
            high = middle
    return False


def _line_from(file: BinaryIO, position: int) -> bytes:
    """The first line that begins at this position or later; empty at the end."""
    if position:
        file.seek(position - 1)
        file.readline(LONGEST_LINE)  # the end of the line before, of which at least the line break is read
    else:
        file.seek(0)
    return file.readline(LONGEST_LINE)
