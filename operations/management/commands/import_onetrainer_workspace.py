"""`manage.py import_onetrainer_workspace PATH`: a OneTrainer workspace as history."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from operations.job_work import do
from operations.workspaces.ask import ask_for_import
from system.models import Job
from training.models import Run
from web.errors import DomainError
from worker.job_process import LET_GO, abandon


class Command(BaseCommand):
    help = (
        "Import a OneTrainer workspace: a run for each training, with its config, samples, backups, models "
        "and TensorBoard scalars. Files stay where they are; importing again updates the runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="the workspace's folder, in an allowed folder")
        parser.add_argument("--name", default="", help="the name of the runs (the folder's name)")
        parser.add_argument("--owner", default="", help="the owner of the runs (nobody)")
        parser.add_argument("--follow", action="store_true", help="continue until the training in it has ended")

    def handle(self, *args: object, path: str, name: str, owner: str, follow: bool, **options: Any) -> None:
        doer = f"{settings.HOST_NAME}:{os.getpid()}"
        try:
            job = ask_for_import(path, self._owner(owner), name, follow, doer)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if job.worker != doer and not (Job.objects.due().filter(pk=job.pk).exists() and job.take(doer)):
            raise CommandError("This workspace is being imported already: the page Import shows the progress.")
        try:
            do(job)
        except KeyboardInterrupt:
            self._let_go(job)
            raise CommandError("Stopped, so these runs are no longer followed.") from None
        self._tell(job)

    def _owner(self, name: str) -> User | None:
        found = User.objects.filter(username=name).first()
        if name and found is None:
            raise CommandError(f"There is no user {name!r}: choose a user who can sign in.")
        return found

    def _let_go(self, job: Job) -> None:
        if job.end(Job.Status.FAILED, str(LET_GO)):
            abandon(job, str(LET_GO))

    def _tell(self, job: Job) -> None:
        if job.status != Job.Status.DONE:
            raise CommandError(job.detail or "Another process continues with this workspace.")
        for run in Run.objects.filter(pk__in=job.result["runs"]).order_by("created_at"):
            how = f": {run.error}" if run.error else ""
            self.stdout.write(f"{run.name}, {run.progress.global_step} steps, {run.status}{how}")
        self.stdout.write(job.detail)
