"""`manage.py import_onetrainer_workspace PATH`: a OneTrainer workspace as history."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from presets.errors import DomainError
from system.history import History, Overtaken, checked_folder


class Command(BaseCommand):
    help = (
        "Take an existing OneTrainer workspace in: a run for each training found, with its config, samples, backups, "
        "models and TensorBoard scalars. Files stay where they are; a second time brings the runs up to date."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="the workspace's folder, below an allowed root")
        parser.add_argument("--name", default="", help="how the runs are called; the folder's name if not given")
        parser.add_argument("--owner", default="", help="whose runs they are; nobody's if not given")

    def handle(self, *args: Any, path: str, name: str, owner: str, **options: Any) -> None:
        try:
            by = self._owner(owner)
            history = History(checked_folder(path), by, name)
            history.update()
        except (DomainError, Overtaken) as error:
            raise CommandError(str(error)) from error
        for run in history.runs:
            how = f": {run.error}" if run.error else ""
            self.stdout.write(f"{run.name}, {run.global_step} steps, {run.status}{how}")
        count = len(history.runs)
        what = "training was" if count == 1 else "trainings were"
        self.stdout.write(f"{count} {what} taken in from {history.folder}.")

    def _owner(self, name: str) -> User | None:
        found = User.objects.filter(username=name).first()
        if name and found is None:
            raise CommandError(f"There is no user {name!r}: name one who can sign in.")
        return found
