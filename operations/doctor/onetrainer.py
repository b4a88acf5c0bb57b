"""The OneTrainer checkout, if one is set up; `manage.py onetrainer_check` also trains two steps with it."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from engine.onetrainer import check
from operations.doctor.finding import Asked, Finding, fine, look_at, note, wrong

KINDS = {check.OK: fine, check.WARNING: look_at}


def look(asked: Asked) -> Iterator[Finding]:
    if settings.ONETRAINER_HOME is None:
        yield note("No OneTrainer is set up: ONETRAINER_HOME is not set.")
        return
    findings, _ = check.look(settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON, asked.beat)
    for found in findings:
        yield KINDS.get(found.state, wrong)(f"{found.name}: {found.sentence}")
