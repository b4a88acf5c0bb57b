"""`manage.py serve`: the whole site in one terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.serve.listening import CannotListen, listen
from operations.serve.site import DEFAULT_SERVER, SERVERS, CannotStart, Site
from operations.serve.supervisor import Console
from system.data_folder import FolderLock, FolderTaken


class Command(BaseCommand):
    help = (
        "Start and watch the web server, a worker for each GPU, and everything they need. Ctrl-C lets a "
        "running training write a backup, then ends everything; a second Ctrl-C ends everything at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000); 0 takes a free one")
        parser.add_argument("--data-dir", help="the folder for everything that the site writes (DATA_DIR, or ./data)")
        parser.add_argument("--server", choices=list(SERVERS), default=DEFAULT_SERVER, help="web server (uvicorn)")
        parser.add_argument("--no-worker", action="store_true", help="start no worker: workers of other hosts train")
        parser.add_argument("--no-demo", action="store_true", help="queue no demo run at the first start")

    def handle(self, *args: object, host: str, port: int, **options: Any) -> None:
        try:
            with FolderLock(settings.DATA_DIR) as lock, listen(host, port) as listener:
                console = Console(settings.DATA_DIR / "logs" / "serve.log", partial(print, flush=True))
                site = Site(host, listener, lock, console, options["server"])
                site.run(with_workers=not options["no_worker"], with_demo=not options["no_demo"])
        except (FolderTaken, CannotListen, CannotStart) as error:
            raise CommandError(str(error)) from error
