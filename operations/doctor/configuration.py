"""The settings: those that do not work, and those that are unsafe."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from operations.doctor.finding import Asked, Finding, fine, look_at, note, wrong

OWN = (
    *("DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"),
    *("CORS_ALLOWED_ORIGINS", "ALLOWED_ROOTS", "ONETRAINER_HOME", "ONETRAINER_PYTHON", "API_READ_RATE"),
    *(
        "API_WRITE_RATE",
        "SIGN_IN_TRIES",
        "QUEUE",
        "CONFINE_ENGINE",
        "ENGINE_ENVIRONMENT",
        "STOP_GRACE_SECONDS",
        "PREFLIGHT_SECONDS",
        "DEMO_DIR",
        "TIME_ZONE",
        "LOG_LEVEL",
    ),
    *("DEBUG", "HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)


def look(asked: Asked) -> Iterator[Finding]:
    yield from _system_checks()
    if settings.DEBUG:
        yield look_at("DEBUG is on: a page that fails shows settings and code to its reader.", "unset DEBUG")
    yield fine(f"SECRET_KEY comes from {'the environment' if os.environ.get('SECRET_KEY') else 'the data folder'}.")
    yield _hosts()
    yield _origins()
    named = [name for name in OWN if os.environ.get(name)]
    yield fine(f"Set in the environment: {', '.join(named) or 'nothing'}.")  # only names: values may be secret


def _system_checks() -> Iterator[Finding]:
    """Settings that would stop the start, and warnings."""
    for message in checks.run_checks():
        serious = message.level >= checks.ERROR
        yield (wrong if serious else look_at)(f"{message.msg} ({message.id})", str(message.hint or ""))


def _hosts() -> Finding:
    if "*" in settings.ALLOWED_HOSTS:
        return look_at("ALLOWED_HOSTS is *, so a forged Host header is believed.", "list the host names that you use")
    return fine(f"The site answers to {', '.join(settings.ALLOWED_HOSTS)}.")


def _origins() -> Finding:
    """An https proxy must have its origin in CSRF_TRUSTED_ORIGINS, or every form is refused."""
    origins = settings.CSRF_TRUSTED_ORIGINS
    if origins:
        return fine(f"Forms are accepted from {', '.join(origins)}.")
    return note("No proxy is set up: an https proxy needs its address in CSRF_TRUSTED_ORIGINS.")
