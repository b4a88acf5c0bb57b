"""The worker's thread for jobs: starts a process for each job and looks after it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

from engine import leash
from system.jobs import logger
from system.models import SILENT, Job
from training.live.publisher import announce
from training.models import Run
from web.database import is_passing
from web.threads import Watch
from worker.retention import RetentionKeeper

LOOK_SECONDS = 1.0
MOST_AT_ONCE = 4  # processes of one worker beside its training
MOST_FAILURES = 3
LET_GO = gettext_lazy("Following it was ended by hand: import its workspace again to see how it went on.")


def abandon(job: Job, sentence: str) -> None:
    """Nobody follows these runs any more, so none of them may look as if it still trained."""
    if job.kind != Job.Kind.IMPORT:
        return
    for run in Run.objects.watched().filter(source=job.arguments["path"]):
        run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="interrupted")
        announce(run)


class JobKeeper(Watch):
    """A worker's thread: starts a process for each job that is due, and looks after what became of it.

    A process dies with its worker, by the kernel's hand; the next worker then begins that job again.
    """

    def __init__(self, worker: str):
        super().__init__("jobs", LOOK_SECONDS)
        self.worker = worker
        self.host = settings.HOST_NAME
        self._before_this_life = worker  # what a worker of this name did has lost its process
        self._children: dict[str, tuple[Job, subprocess.Popen[bytes]]] = {}
        self._retention = RetentionKeeper(worker)

    def end(self) -> None:
        """End the processes; their jobs are begun again by the next worker."""
        super().end()
        for _job, child in self._children.values():
            child.kill()

    def look(self) -> None:
        self.step(self._before_this_life)
        self._before_this_life = ""

    def step(self, before_this_life: str = "") -> None:
        self._look_after_children()
        self._adopt_runs()
        self._retention.look()
        for job in Job.objects.due(before_this_life).order_by("created_at"):
            if len(self._children) >= MOST_AT_ONCE:
                return
            self._begin(job)

    def _begin(self, job: Job) -> None:
        """Take it on, if it is for this worker. One that cannot be begun fails, and holds up no other."""
        try:
            if self._is_here(job) and job.take(self.worker):
                self._start(job)
        except Exception as error:
            if is_passing(error):
                raise
            logger.exception("%s could not be begun.", job)
            sentence = f"It could not be begun ({type(error).__name__}: {error}): see the worker's log."
            failed = {"status": Job.Status.FAILED, "detail": sentence, "ended_at": now()}
            Job.objects.open().filter(pk=job.pk, claim=job.claim).update(**failed)
            abandon(job, sentence)

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
