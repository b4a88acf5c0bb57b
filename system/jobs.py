"""Jobs: asking for one, doing it in a process of its own, and the worker's thread that sees to that."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from presets.errors import NotNow
from system import leash
from system.database_trouble import is_passing
from system.history import checked_folder
from system.keeping import RetentionKeeper
from system.models import SILENT, Job
from system.watch import Watch
from training.models import Run
from training.publisher import announce

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
BEAT_SECONDS = 2.0
MOST_AT_ONCE = 4  # processes of one worker beside its training
MOST_FAILURES = 3


LET_GO = gettext_lazy("Following it was ended by hand: import its workspace again to see how it went on.")


class JobLost(Exception):
    """Another process does this job now, or nobody is to do it any more."""


class Hold:
    """The sign of life of whoever does a job: to be called again and again; raises JobLost."""

    def __init__(self, job: Job):
        self.job = job
        self._beat = time.monotonic()

    def __call__(self, **facts: Any) -> None:
        if not facts and time.monotonic() - self._beat < BEAT_SECONDS:
            if not Job.objects.open().filter(pk=self.job.pk, claim=self.job.claim).exists():
                raise JobLost(JobLost.__doc__)
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
    facts = {"arguments": arguments, "user": user, "host": settings.HOST_NAME, **taken}
    return Job.objects.create(kind=Job.Kind.IMPORT, **facts)


def ask_for_check(user: Any = None, training: bool = True) -> Job:
    """Have OneTrainer checked, unless that is being done."""
    going_on = Job.objects.open().filter(kind=Job.Kind.CHECK).first()
    facts = {"arguments": {"training": training}, "user": user, "host": settings.HOST_NAME}
    return going_on or Job.objects.create(kind=Job.Kind.CHECK, **facts)


def ask_for_examination(user: Any = None, mend: bool = False) -> Job:
    """Have the site examined, unless that is being done."""
    going_on = Job.objects.open().filter(kind=Job.Kind.DOCTOR).first()
    facts = {"arguments": {"mend": mend}, "user": user, "host": settings.HOST_NAME}
    return going_on or Job.objects.create(kind=Job.Kind.DOCTOR, **facts)


def ask_for_inventory(user: Any = None) -> Job:
    """Have a worker count what takes how much room, unless that is being done; earlier counts are forgotten."""
    counts = Job.objects.filter(kind=Job.Kind.MEASURE)
    going_on = counts.filter(status__in=Job.OPEN).first()
    if going_on:
        return going_on
    kept = counts.filter(status=Job.Status.DONE).order_by("-ended_at").values_list("pk", flat=True)[:1]
    counts.exclude(pk__in=list(kept)).delete()
    return Job.objects.create(kind=Job.Kind.MEASURE, user=user, host=settings.HOST_NAME)


def abandon(job: Job, sentence: str) -> None:
    """Nobody follows these runs any more, so none of them may look as if it still trained."""
    if job.kind != Job.Kind.IMPORT:
        return
    for run in Run.objects.watched().filter(source=job.arguments["path"]):
        run.move_to(Run.Status.INTERRUPTED, detail=sentence, error=sentence, error_reason="interrupted")
        announce(run)


@transaction.atomic  # or a worker would see a run in between that nobody follows, and follow it
def end_following(run: Run) -> None:
    """Nobody looks after this run's workspace any more; its process sees that at its next look. Raises NotNow."""
    if not run.is_watched:
        raise NotNow(_("Nobody follows this run: it trains here, or has ended."))
    for job in Job.objects.open().filter(kind=Job.Kind.IMPORT):
        if job.arguments["path"] == run.source:
            facts = {"status": Job.Status.DONE, "detail": str(LET_GO), "ended_at": now()}
            Job.objects.open().filter(pk=job.pk).update(**facts)
            abandon(job, str(LET_GO))


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
