"""The processes of the site: `manage.py serve` starts them in this order."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connections

from operations.serve import embedded_redis
from operations.serve.certificate import Certificate
from operations.serve.first_start import admin_account, first_start
from operations.serve.listening import address_of, is_wildcard
from operations.serve.part import Part
from operations.serve.supervisor import Console, Supervisor
from system.account import links
from system.data_folder import FolderLock
from system.gpus import gpus
from web.environment import masked

APPLICATION = "onetrainer_site.asgi:application"
DAPHNE = ["-m", "web.servers.with_daphne"]
SERVERS: dict[str, Callable[[int, Certificate | None], list[str]]] = {
    "uvicorn": lambda fd, own: [
        *("-m", "web.servers.with_uvicorn", "--fd", str(fd), "--lifespan", "off", "--no-server-header"),
        *(["--ssl-certfile", str(own.certificate), "--ssl-keyfile", str(own.key)] if own else []),
        "--no-proxy-headers",  # `web.proxies` reads these headers, for both servers alike
        *("--timeout-keep-alive", "75"),  # seconds; browsers and proxies keep idle connections for about a minute
        *("--timeout-graceful-shutdown", "3", APPLICATION),  # open WebSockets would delay it for ever
    ],
    # Its own log of addresses cannot leave out sign-in links, so it keeps none.
    "daphne": lambda fd, own: [
        *(
            ["-m", "operations.serve.daphne_tls", str(own.certificate), str(own.key)]
            if own
            else ["-m", "web.servers.with_daphne"]
        ),
        *("--fd", str(fd), "--no-server-name", "--verbosity", "0", APPLICATION),
    ],
}
DEFAULT_SERVER = "uvicorn"  # daphne gathers a whole download in memory before it sends it


class CannotStart(Exception):
    """The site cannot start."""


class Site:
    """One data folder's processes, behind one listening socket."""

    def __init__(
        self,
        host: str,
        listener: socket.socket,
        lock: FolderLock,
        console: Console,
        server: str = DEFAULT_SERVER,
        own: Certificate | None = None,
    ) -> None:
        self.host, self.listener, self.lock, self.console, self.server = host, listener, lock, console, server
        self.own = own
        self.address = address_of(listener, "https" if own else "http")
        self.supervisor = Supervisor(console)

    def run(self, with_workers: bool = True, with_demo: bool = True) -> None:
        """Serve until a signal says otherwise; raises CannotStart."""
        self.supervisor.listen_to_signals()
        try:
            self._check_static_files()
            self._start_redis()
            self._prepare_database(with_demo)
            if with_workers:
                self._start_workers()
            self._start_web()
            if self.supervisor.watch(until=_answering(self.address)):
                self._welcome()
                self.supervisor.watch()
        finally:
            self.supervisor.shut_down()
        self.console.line("Everything has ended.")

    def _check_static_files(self) -> None:
        if not (settings.STATIC_ROOT / "staticfiles.json").exists():
            raise CannotStart("The pages' style sheets and scripts are not collected yet: run `make setup` first.")

    # -- the parts ---------------------------------------------------------------------------------------------

    def _start_redis(self) -> None:
        """The embedded Redis, unless REDIS_URL names another, which has to answer."""
        if not settings.EMBEDDED_REDIS:
            if why := embedded_redis.why_no_answer(settings.REDIS_URL):
                url = masked(settings.REDIS_URL)
                raise CannotStart(f"REDIS_URL is {url}, where no Redis answers ({why}): start it, or unset REDIS_URL.")
            return
        embedded_redis.write_password(settings.DATA_DIR, settings.EMBEDDED_REDIS_PASSWORD)
        redis = self._part("redis", embedded_redis.server_command(), cwd=settings.DATA_DIR)
        self.supervisor.start(redis)
        self.supervisor.watch(lambda: not redis.alive or embedded_redis.why_no_answer(settings.REDIS_URL) is None)
        if not redis.alive:
            raise CannotStart(
                f"The embedded Redis {redis.how_it_ended()}: see {redis.log}, or run a Redis and name it in REDIS_URL."
            )

    def _prepare_database(self, with_demo: bool) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            for sentence in first_start(admin_account(), with_demo):
                self.console.say("first start", sentence)
        except OperationalError as error:
            raise CannotStart(f"The database cannot be used ({str(error).strip()}): check DATABASE_URL.") from error
        finally:
            connections.close_all()  # this process lives long and does not use the database again

    def _start_workers(self) -> None:
        host = settings.HOST_NAME
        for gpu in usable_gpus([str(device["id"]) for device in gpus()]):
            device = f"gpu{gpu}" if gpu else "cpu"
            command = [sys.executable, "manage.py", "gpu_worker", "--gpu", gpu, "--name", f"{host}:{device}"]
            self.supervisor.start_worker(self._part(f"worker-{device}", command), f"{host}:{device}")

    def _start_web(self) -> None:
        fd = self.listener.fileno()
        self.supervisor.start(self._part("web", [sys.executable, *SERVERS[self.server](fd, self.own)], pass_fds=(fd,)))

    def _part(
        self, name: str, command: list[str], cwd: Path = settings.BASE_DIR, pass_fds: tuple[int, ...] = ()
    ) -> Part:
        log = settings.DATA_DIR / "logs" / f"{name}.log"
        return Part(name, command, log, cwd, self._environment(), pass_fds=pass_fds)

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "DATA_DIR": str(settings.DATA_DIR), "PYTHONUNBUFFERED": "1"}
        if not os.environ.get("ALLOWED_HOSTS") and not is_wildcard(self.listener):
            named = f"[{self.host}]" if ":" in self.host else self.host
            environment["ALLOWED_HOSTS"] = ",".join(dict.fromkeys([*settings.ALLOWED_HOSTS, named]))
        if self.own is not None:
            environment["HTTPS"] = "true"
            if self.own.names and not os.environ.get("ALLOWED_HOSTS"):
                names = [f"[{name}]" if ":" in name else name for name in self.own.names]
                environment["ALLOWED_HOSTS"] = ",".join(dict.fromkeys([*settings.ALLOWED_HOSTS, *names]))
        return environment

    # -- what people read --------------------------------------------------------------------------------------

    def _welcome(self) -> None:
        self.lock.write(self.address)
        self.console.say("web", f"{self.server} answers at {self.address}")
        if self.own is not None and self.own.names:
            self.console.line("The certificate was made here, so browsers ask once whether to trust it.")
        elif is_wildcard(self.listener) and not (os.environ.get("ALLOWED_HOSTS") or settings.SITE):
            self.console.line("Other machines can connect once ALLOWED_HOSTS lists this machine's names.")
        admin = admin_account()
        link = f"{self.address}{links.path_for(admin)}"
        minutes = settings.SIGN_IN_LINK_MINUTES
        connections.close_all()
        self.console.line()
        self.console.line(f"Open  {link}", log=False)  # people who read the log must not be able to sign in with it
        self.console.line(f"      It signs you in as {admin}, once, for {minutes} minutes. After that: {self.address}")
        self.console.line(f"      Logs are in {settings.DATA_DIR / 'logs'}. Ctrl-C ends everything.")


def usable_gpus(present: list[str]) -> list[str]:
    """One entry per worker: a GPU's index, or empty for the CPU. CUDA_VISIBLE_DEVICES selects among GPUs."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if present and chosen is not None:
        present = [gpu for gpu in map(str.strip, chosen.split(",")) if gpu not in ("", "-1")]
    return present or [""]


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    """To this machine's own site, whose certificate is for its public name."""
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=30)
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=30, context=unchecked)


def _answering(address: str) -> Callable[[], bool]:
    """A condition that becomes true when the web server answers; tested in a thread, because that may take a while."""
    answered = threading.Event()

    def ask() -> None:
        where = urlsplit(address)
        while not answered.is_set():
            connection = _connection(where.scheme, where.hostname or "", where.port)
            try:
                connection.request("GET", "/healthz")
                connection.getresponse()
                answered.set()
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)  # it was not running yet, or died during the request
            finally:
                connection.close()

    threading.Thread(target=ask, daemon=True).start()
    return answered.is_set
