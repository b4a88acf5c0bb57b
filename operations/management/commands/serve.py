"""`manage.py serve`: the whole site in one terminal."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.serve.certificate import BadCertificate, Certificate, given, made_here
from operations.serve.listening import WILDCARDS, CannotListen, listen
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
        parser.add_argument("--certificate", default="", help="serve HTTPS with this certificate (a PEM file)")
        parser.add_argument("--key", default="", help="the certificate's key (a PEM file)")
        parser.add_argument(
            "--self-signed", action="store_true", help="serve HTTPS with a certificate made here, for the local network"
        )
        parser.add_argument("--no-worker", action="store_true", help="start no worker: workers of other hosts train")
        parser.add_argument("--no-demo", action="store_true", help="queue no demo run at the first start")

    def handle(self, *args: object, host: str, port: int, **options: Any) -> None:
        try:
            with FolderLock(settings.DATA_DIR) as lock, listen(host, port) as listener:
                console = Console(settings.DATA_DIR / "logs" / "serve.log", partial(print, flush=True))
                site = Site(host, listener, lock, console, options["server"], own_certificate(host, options))
                site.run(with_workers=not options["no_worker"], with_demo=not options["no_demo"])
        except (FolderTaken, CannotListen, CannotStart, BadCertificate) as error:
            raise CommandError(str(error)) from error


def own_certificate(host: str, options: dict[str, Any]) -> Certificate | None:
    """The certificate that the options ask for; none without them. Raises BadCertificate."""
    if options["certificate"] or options["key"]:
        if options["self_signed"]:
            raise BadCertificate("Choose one: --certificate with --key, or --self-signed.")
        return given(options["certificate"], options["key"])
    if not options["self_signed"]:
        return None
    more = [host, *settings.ALLOWED_HOSTS] if host not in WILDCARDS else settings.ALLOWED_HOSTS
    return made_here(settings.DATA_DIR, [name for name in more if not name.startswith((".", "*"))])
