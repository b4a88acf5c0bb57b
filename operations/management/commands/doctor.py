"""`manage.py doctor`: what is wrong with this site, and how to mend it."""

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
        "Look at database, journals, files, processes, disk, GPU, clocks, Redis, settings and versions. The report "
        "holds no secrets: attach it to a bug report. The exit status is 0 where all is fine, 1 where something was "
        "found, 2 where something could not be looked at."
    )
    requires_system_checks: list[str] = []  # a wrong setting is one of the things that this is there to tell

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--mend", action="store_true", help="mend what is safe to mend; running trainings are let be"
        )
        parser.add_argument(
            "--thorough", action="store_true", help="read every model for its hash, however long it takes"
        )
        parser.add_argument("--json", action="store_true", help="the same report for programs")
        parser.add_argument("--data-dir", help="the site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: Any, mend: bool, thorough: bool, json: bool, **options: Any) -> None:
        report = examine(mend, Asked(hash_seconds=math.inf) if thorough else Asked())
        self.stdout.write(report.to_json() if json else report.to_text())
        sys.exit(report.exit_status)
