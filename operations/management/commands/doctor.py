"""`manage.py doctor`: report the site's problems and how to fix them."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from operations.doctor import examine
from operations.doctor.finding import Asked


class Command(BaseCommand):
    help = (
        "Examine database, journals, files, processes, disk, GPU, clocks, Redis, settings and versions. The "
        "report holds no secrets: attach it to a bug report. The exit status is 0 if there is no problem, 1 "
        "if a problem was found, 2 if a part could not be examined."
    )
    requires_system_checks: list[str] = []  # this command also reports wrong settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--mend",
            action="store_true",
            help="repair what can be repaired safely; running trainings are never touched",
        )
        parser.add_argument(
            "--thorough", action="store_true", help="read every model to compare its hash, however long it takes"
        )
        parser.add_argument("--json", action="store_true", help="the same report for programs")
        parser.add_argument("--data-dir", help="the site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: object, mend: bool, thorough: bool, json: bool, **options: Any) -> None:
        report = examine(mend, Asked(hash_seconds=math.inf) if thorough else Asked())
        self.stdout.write(report.to_json() if json else report.to_text())
        sys.exit(report.exit_status)
