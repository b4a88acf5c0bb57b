"""A job in a worker: its child process, and its claim."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

from engine import leash
from engine.guest.environment import of_engine
from system.jobs import logger
from system.models import SILENT, Job
from training.live.publisher import announce
from training.models import Run
from web.environment import NAMES

MOST_FAILURES = 3
LET_GO = gettext_lazy("A user stopped following this run: import its workspace again to see its progress.")


def abandon(job: Job, sentence: str) -> None:
    """Interrupt the runs that this import followed, since they must not look followed any more."""
    if job.kind != Job.Kind.IMPORT:
        return
    for run in Run.objects.watched().filter(source=job.arguments["path"]):
        run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="interrupted")
        announce(run)


def leashed(*command: str) -> list[str]:
    """The command; the kernel kills its process when the thread that started it ends."""
    return [sys.executable, leash.__file__, str(os.getpid()), *command]


def site_environment() -> dict[str, str]:
    """The environment of a process of this site: its settings, and what an engine gets."""
    own = {name: value for name, value in os.environ.items() if name in NAMES | {"DJANGO_SETTINGS_MODULE"}}
    return {**of_engine(), **own}


class JobProcess:
    """A claimed job and its child process; a subclass knows the command line for its kinds of jobs."""

    most_at_once = 4  # processes of this class in one worker, in addition to its training

    def __init__(self, job: Job, gpu: str, notice: Callable[[], None]) -> None:
        self.job, self.gpu = job, gpu
        self.notice = notice  # wakes the worker's thread
        self.child = self.start()

    @staticmethod
    def is_for(job: Job, host: str) -> bool:
        """True if a worker on this host can reach the job's files."""
        path = job.arguments.get("path")
        return job.host == host or path is None or Path(path).exists()

    @staticmethod
    def why_failed(error: Exception) -> str:
        """The sentence for a job without a result in this worker."""
        return f"The job failed ({type(error).__name__}: {error}): see the worker's log."

    def start(self) -> subprocess.Popen[str]:
        raise NotImplementedError

    def goes_on(self) -> bool:
        """Check the process; False once it has ended and its end is stored."""
        raise NotImplementedError

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()


class CommandProcess(JobProcess):
    """A job done by `manage.py do_job`, which writes heartbeats and result itself."""

    def start(self) -> subprocess.Popen[str]:
        manage = str(settings.BASE_DIR / "manage.py")
        command = leashed(sys.executable, manage, "do_job", str(self.job.pk), str(self.job.claim))
        return subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=site_environment(), stdin=subprocess.DEVNULL, text=True
        )

    def goes_on(self) -> bool:
        if self.child.poll() is None:
            return True
        take_back(self.job)
        return False


class FetchProcess(CommandProcess):
    """The fetch of a base model: one after the other, so that each has the whole line to the network."""

    most_at_once = 1


def take_back(job: Job) -> None:
    """Retry the job if its process ended without a result; after a few retries the job fails."""
    failures = job.failures + 1
    if not job.change(failures=failures):
        return
    if failures >= MOST_FAILURES:
        fail(job, f"Its process ended {failures} times without a result: see the worker's log.")
    else:
        Job.objects.filter(pk=job.pk, claim=job.claim).update(heartbeat_at=now() - 2 * SILENT)


def fail(job: Job, sentence: str) -> None:
    logger.error("%s: %s", job, sentence)
    if job.end(Job.Status.FAILED, sentence):
        abandon(job, sentence)
