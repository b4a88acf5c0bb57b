"""What templates need to know about signing in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def ways_to_sign_in(request: HttpRequest) -> dict[str, Any]:
    """Whether mail is set, whether anybody may make an account, and whether other sites sign people in."""
    return {
        "has_mail": settings.HAS_MAIL,
        "sign_up_is_open": settings.SIGN_UP,
        "has_providers": bool(settings.SOCIALACCOUNT_PROVIDERS),
    }
