"""`manage.py gpu_worker`: train queued runs on one GPU, or on the CPU."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from system.worker_name import NameTaken
from worker.gpu_worker import GpuWorker


class Command(BaseCommand):
    help = (
        "Train queued runs, one at a time. SIGTERM or Ctrl-C: the run writes a backup and ends, then the worker ends; "
        "a second one: at once. SIGHUP: the worker ends and leaves the training running."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--gpu", default="", help="CUDA device index, or several as 0,1; none for the CPU")
        parser.add_argument("--name", default="", help="the worker's name; by default host:gpu0 or host:cpu")
        parser.add_argument("--once", action="store_true", help="end after one run, or at once if none is queued")

    def handle(self, *args: object, gpu: str, name: str, once: bool, **options: Any) -> None:
        name = name or f"{settings.HOST_NAME}:{f'gpu{gpu}' if gpu else 'cpu'}"
        try:
            GpuWorker(name, gpu, once).run()
        except NameTaken as error:
            raise CommandError(str(error)) from error
