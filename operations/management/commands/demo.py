"""`manage.py demo`: train the demo run in the terminal."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.serve.demo import Demo, DemoFailed, DemoProgress, DemoSite


class Command(BaseCommand):
    help = (
        "Start a site in its own data folder, train the demo run to its end over the REST API, print the "
        "paths of samples and model and how the loss fell, and end the site."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data-dir", help="the demo's data folder (the folder demo in DATA_DIR)")

    def handle(self, *args: object, data_dir: str | None, **options: Any) -> None:
        folder = settings.DATA_DIR if data_dir else settings.DATA_DIR / "demo"
        self.say(f"Starting a site in {folder} ...")
        try:
            with DemoSite(folder) as site:
                self._train(site)
        except DemoFailed as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped before the run was finished.") from None

    def _train(self, site: DemoSite) -> None:
        progress = DemoProgress(partial(print, end="", flush=True), sys.stdout.isatty())
        demo = Demo(site, progress)
        try:
            run = demo.run()
        finally:
            progress.end()
        for line in demo.results(run["id"]):
            self.say(line)
        self.say(f"To see it in a browser: make run ARGS='--data-dir {Path(site.folder)}'")

    def say(self, line: str) -> None:
        print(line, flush=True)
