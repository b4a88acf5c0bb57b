"""The clocks: heartbeats, leases and timelines compare times of several machines."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from operations.doctor.database import why_unreadable
from operations.doctor.finding import Asked, Finding, counted, fine, look_at
from system.models import Worker
from training.models import Run, RunEvent

MOST = 2.0  # seconds by which two clocks may differ
FUTURE = timedelta(minutes=1)
CURE = "let both machines use the same time server (timedatectl set-ntp true)"


def look(asked: Asked) -> Iterator[Finding]:
    yield fine(f"This machine says {now():%Y-%m-%d %H:%M:%S} UTC; pages show {settings.TIME_ZONE}.")
    yield _compared("the data folder's file system", _file_system_ahead())
    if not settings.EMBEDDED_REDIS:
        yield from _redis()
    if why_unreadable():
        return
    if connection.vendor == "postgresql":
        yield _compared("the database", _database_ahead())
    yield from _future()


def _compared(whose: str, ahead: float) -> Finding:
    if abs(ahead) <= MOST:
        return fine(f"The clock of {whose} agrees.")
    way = "ahead" if ahead > 0 else "behind"
    return look_at(f"The clock of {whose} is {abs(ahead):.0f} seconds {way} of this machine's.", CURE)


def _file_system_ahead() -> float:
    """The difference in seconds; a file server stamps files by its own clock."""
    with tempfile.NamedTemporaryFile(dir=settings.DATA_DIR, prefix=".doctor-") as file:
        file.write(b"?")
        file.flush()
        return Path(file.name).stat().st_mtime - time.time()


def _database_ahead() -> float:
    began = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        theirs = float(cursor.fetchone()[0])
    return theirs - (began + time.time()) / 2


def _redis() -> Iterator[Finding]:
    try:
        with redis.from_url(settings.REDIS_URL, socket_connect_timeout=3, socket_timeout=3) as client:
            seconds, micros = client.time()
    except (redis.RedisError, OSError):
        return  # the examination of live updates reports it
    yield _compared("Redis", seconds + micros / 1e6 - time.time())


def _future() -> Iterator[Finding]:
    """Rows from the future show that a clock was turned back, or is wrong on another machine."""
    late = now() + FUTURE
    counts = {
        ("worker", "workers"): Worker.objects.filter(heartbeat_at__gt=late).count(),
        ("event", "events"): RunEvent.objects.filter(at__gt=late).count(),
        ("run", "runs"): Run.objects.filter(queued_at__gt=late).count(),
    }
    found = [counted(count, *nouns) for nouns, count in counts.items() if count]
    if found:
        sentence = f"{', '.join(found)} from the future: a clock was turned back, or is wrong on another machine."
        yield look_at(sentence, "correct the clocks; the rows are harmless once their time has come")
    else:
        yield fine("No row is from the future.")
