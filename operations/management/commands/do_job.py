"""`manage.py do_job JOB CLAIM`: a worker starts this for a job."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations.job_work import do
from system.models import Job


class Command(BaseCommand):
    help = "Do a job that a worker claimed. Workers start this command."
    requires_system_checks: list[str] = []  # `serve` and the worker have checked the settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job")
        parser.add_argument("claim", type=int)

    def handle(self, *args: object, job: str, claim: int, **options: Any) -> None:
        found = Job.objects.filter(pk=job, claim=claim).select_related("user").first()
        if found is None:
            raise CommandError("This job does not exist, or another process does it: workers start jobs themselves.")
        do(found)
