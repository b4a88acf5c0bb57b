"""`manage.py onetrainer_check`: whether OneTrainer can be used."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError
from django.utils.timezone import now

from engine.onetrainer.check import OK, WARNING
from operations.job_work import check_result
from operations.onetrainer_check import check, is_usable
from system.models import Job

MARKS = {OK: "ok     ", WARNING: "look at"}


class Command(BaseCommand):
    help = (
        "Check whether the OneTrainer in ONETRAINER_HOME can be used: its version, Python, PyTorch, missing "
        "packages, and two steps of training as a test. The exit status is 1 if it cannot."
    )
    requires_system_checks: list[str] = []  # this command explains a wrong ONETRAINER_HOME

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-training", action="store_true", help="leave out the test training")

    def handle(self, *args: object, no_training: bool, **options: Any) -> None:
        findings = check(not no_training)
        for finding in findings:
            self.stdout.write(f"{MARKS.get(finding.state, 'wrong  ')} {finding.name}: {finding.sentence}")
        usable = is_usable(findings)
        self._keep(findings)
        if not usable:
            sys.exit(1)

    def _keep(self, findings: list[Any]) -> None:
        """For the system page; a check before the very first start has no database yet."""
        facts = {"kind": Job.Kind.CHECK, "status": Job.Status.DONE, "host": settings.HOST_NAME, "ended_at": now()}
        try:
            Job.objects.create(**facts, **check_result(findings))
        except DatabaseError as error:
            self.stderr.write(f"The system page will not show this, because the database is not ready ({error}).")
