"""Jobs: asking for one, doing it in a process of its own, and the worker's thread that sees to that."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils.timezone import now

from system import leash
from system.history import checked_folder
from system.models import SILENT, Job
from training.models import Run
from training.publisher import announce

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
BEAT_SECONDS = 2.0
MOST_AT_ONCE = 4  # processes of one worker beside its training
MOST_FAILURES = 3


class JobLost(Exception):
    """Another process does this job now."""


class Hold:
    """The sign of life of whoever does a job: to be called again and again; raises JobLost."""

    def __init__(self, job: Job):
        self.job = job
        self._beat = time.monotonic()

    def __call__(self, **facts: Any) -> None:
        if not facts and time.monotonic() - self._beat < BEAT_SECONDS:
            return
        self._beat = time.monotonic()
        if not self.job.change(**facts):
            raise JobLost(JobLost.__doc__)


def ask_for_import(path: Any, user: Any = None, name: str = "", follow: bool = False, doer: str = "") -> Job:
    """Have a workspace taken in, by a worker unless `doer` does it; raises BadInput.

    One that is being taken in is not begun a second time.
    """
    folder = str(checked_folder(path))
    same = [job for job in Job.objects.open().filter(kind=Job.Kind.IMPORT) if job.arguments["path"] == folder]
    if same:
        return same[0]
    arguments = {"path": folder, "name": name.strip()[:150], "follow": bool(follow)}
    taken = {"status": Job.Status.RUNNING, "worker": doer, "claim": 1} if doer else {}
    facts = {"arguments": arguments, "user": user, "host": socket.gethostname(), **taken}
    return Job.objects.create(kind=Job.Kind.IMPORT, **facts)


def ask_for_check(user: Any = None, training: bool = True) -> Job:
    """Have OneTrainer checked, unless that is being done."""
    going_on = Job.objects.open().filter(kind=Job.Kind.CHECK).first()
    facts = {"arguments": {"training": training}, "user": user, "host": socket.gethostname()}
    return going_on or Job.objects.create(kind=Job.Kind.CHECK, **facts)


def abandon(job: Job, sentence: str) -> None:
    """Nobody follows these runs any more, so none of them may look as if it still trained."""
    if job.kind != Job.Kind.IMPORT:
        return
    for run in Run.objects.watched().filter(source=job.arguments["path"]):
        run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="interrupted")
        announce(run)


class JobKeeper(threading.Thread):
    """A worker's thread: starts a process for each job that is due, and looks after what became of it.

    A process dies with its worker, by the kernel's hand; the next worker then begins that job again.
    """

    def __init__(self, worker: str):
        super().__init__(name="jobs", daemon=True)
        self.worker = worker
        self.host = socket.gethostname()
        self._ending = threading.Event()
        self._children: dict[str, tuple[Job, subprocess.Popen[bytes]]] = {}

    def run(self) -> None:
        before_this_life = self.worker  # what a worker of this name did has lost its process
        while not self._ending.wait(LOOK_SECONDS):
            try:
                close_old_connections()
                self.step(before_this_life)
                before_this_life = ""
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The database is away, so jobs wait: %s", error)
                connection.close()
            except OSError:
                logger.exception("A job's process could not be started.")
        connection.close()

    def end(self) -> None:
        """End the processes; their jobs are begun again by the next worker."""
        self._ending.set()
        for _, child in self._children.values():
            child.kill()

    def step(self, before_this_life: str = "") -> None:
        self._look_after_children()
        self._adopt_runs()
        for job in Job.objects.due(before_this_life).order_by("created_at"):
            if len(self._children) >= MOST_AT_ONCE:
                return
            if self._is_here(job) and job.take(self.worker):
                self._start(job)

    def _is_here(self, job: Job) -> bool:
        path = job.arguments.get("path")
        return job.host == self.host or path is None or Path(path).exists()

    def _start(self, job: Job) -> None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "do_job", str(job.pk), str(job.claim)]
        leashed = [sys.executable, leash.__file__, str(os.getpid()), *command]
        child = subprocess.Popen(leashed, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL)
        self._children[str(job.pk)] = (job, child)

    def _look_after_children(self) -> None:
        for key, (job, child) in list(self._children.items()):
            if child.poll() is not None:
                del self._children[key]
                self._take_back(job)

    def _take_back(self, job: Job) -> None:
        """Its process is gone. If it left no word, the job is begun again, a few times."""
        failures = job.failures + 1
        if not job.change(failures=failures):
            return
        if failures >= MOST_FAILURES:
            sentence = f"Its process ended {failures} times without a word: see the worker's log."
            job.end(Job.Status.FAILED, sentence)
            abandon(job, sentence)
        else:
            Job.objects.filter(pk=job.pk, claim=job.claim).update(heartbeat_at=now() - 2 * SILENT)

    def _adopt_runs(self) -> None:
        """A run that looks as if it trained elsewhere is followed by somebody, or it would look so for ever."""
        sources = set(Run.objects.watched().values_list("source", flat=True))
        if not sources:
            return
        followed = {job.arguments["path"] for job in Job.objects.open().filter(kind=Job.Kind.IMPORT)}
        for source in sources - followed:
            arguments = {"path": source, "name": "", "follow": True}
            Job.objects.create(kind=Job.Kind.IMPORT, arguments=arguments, host=self.host)
