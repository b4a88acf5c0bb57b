"""The engine process as a guest: which of its limits hold on this machine, found out by trying them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from django.conf import settings

from engine.guest.environment import of_engine
from engine.interface.peer import user_behind
from operations.doctor.finding import Asked, Finding, counted, fine, look_at, wrong

SECONDS = 60
RECIPE = "see docs/security.md for a container or a service with its own user"


def look(asked: Asked) -> Iterator[Finding]:
    yield _environment()
    yield _channel()
    asked.beat()
    yield _files()


def _environment() -> Finding:
    given = of_engine()
    more = f" ENGINE_ENVIRONMENT adds {', '.join(settings.ENGINE_ENVIRONMENT)}." if settings.ENGINE_ENVIRONMENT else ""
    known = counted(len(os.environ), "environment variable")
    return fine(f"Of {known} an engine process gets {len(given)}, from a list of allowed names.{more}")


def _channel() -> Finding:
    """Whether the kernel names the user at the other end of a local socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        try:
            holds = user_behind(ours) == os.getuid()
        except OSError as error:
            return wrong(f"The kernel does not say which user opens a control channel ({error}).", "report it")
    if not holds:
        return wrong("The kernel names a wrong user for a control channel.", "report it")
    return fine("Control channels admit only the site's own user: the kernel says who connects.")


def _files() -> Finding:
    if not settings.CONFINE_ENGINE:
        return look_at("CONFINE_ENGINE is off, so a training can read all files of the site's user.", "unset it")
    closed = [path for path in (settings.DATA_DIR, settings.DATA_DIR / "secret_key") if path.exists()]
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        command = [sys.executable, "-m", "engine.guest.trial", "\n".join(map(str, closed)), folder]
        tried = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            env=of_engine(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    if tried.returncode != 0:
        last = (tried.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return wrong(f"An engine process could not be confined: {last[:200]}.", RECIPE)
    facts = json.loads(tried.stdout)
    if facts["holds"] and not facts["reached"]:
        return fine("An engine process cannot reach the database, the secret key or other runs: this was tried.")
    return look_at(facts["sentence"] if not facts["holds"] else f"It reached {', '.join(facts['reached'])}.", RECIPE)
