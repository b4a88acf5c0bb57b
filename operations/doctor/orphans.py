"""Runs against processes: runs that look active without a process, and processes without an active run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
from django.conf import settings
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.launcher import EngineProcess
from operations.doctor.finding import MEND, Asked, Finding, Mend, counted, counted_are, fine, look_at, note, wrong
from system.models import LATE, Job, Worker
from system.worker_name import NameLock
from training.live.publisher import Publisher
from training.models import Run, RunCommand
from web.ids import as_uuid
from worker.attempt import Following

START_A_WORKER = "start a worker there: `manage.py serve`, or `manage.py gpu_worker`"


def look(asked: Asked) -> Iterator[Finding]:
    counts = Counter(Run.objects.order_by().values_list("status", flat=True))
    named = ", ".join(f"{count} {status}" for status, count in counts.items())
    yield fine(f"{counted(counts.total(), 'run')}{': ' if named else ''}{named}.")
    yield _workers()
    yield from _unowned_processes()
    for run in Run.objects.active().select_related("worker"):
        yield from _active(run)
    for run in Run.objects.lost():
        yield from _lost(run)
    yield from _open_commands()
    yield from _silent_jobs()


def _workers() -> Finding:
    alive, missing = Worker.objects.alive().count(), _missing_workers().count()
    waiting = Run.objects.queued().count()
    if waiting and not alive:
        return look_at(f"No worker is alive, and {counted_are(waiting, 'run')} waiting.", START_A_WORKER)
    more = f", {missing} vanished without signing off" if missing else ""
    return fine(f"{counted(alive, 'worker')} alive{more}.")


def _missing_workers() -> QuerySet[Worker]:
    return Worker.objects.exclude(status=Worker.Status.OFFLINE).filter(heartbeat_at__lt=now() - LATE)


# -- processes -------------------------------------------------------------------------------------------------


def engine_folder(pid: int) -> Path | None:
    """The attempt folder of this process, if it is an engine process of this site."""
    try:
        words = psutil.Process(pid).cmdline()[1:]
    except psutil.Error:
        return None  # it has ended, or is another user's
    runs = settings.DATA_DIR / "runs"
    folders = (Path(word) for word in words if word.startswith(f"{runs}/"))
    return next((folder for folder in folders if folder.parent.name == "attempts"), None)


def has_active_run(folder: Path) -> bool:
    """Whether the folder is that of its run's present attempt; a lost run counts as active too."""
    run = _run_of(folder)
    return run is not None and (run.is_active or run.is_lost) and str(run.attempt) == folder.name


def _run_of(folder: Path) -> Run | None:
    key = as_uuid(folder.parent.parent.name)
    return Run.objects.filter(pk=key).first() if key else None


def _unowned_processes() -> Iterator[Finding]:
    """The doctor never ends a process: a person has to decide whether it is still needed."""
    for pid in psutil.pids():
        folder = engine_folder(pid)
        if folder is None or _is_child_of_another(pid, folder) or has_active_run(folder):
            continue
        if not psutil.pid_exists(pid):
            continue  # it ended in between
        run = _run_of(folder)
        state = f"is {run.status}, in attempt {run.attempt}" if run else "is not in the database"
        sentence = f"Process {pid} trains attempt {folder.name} of run {folder.parent.parent.name}, which {state}."
        yield wrong(sentence, f"if it is not needed any more, end it: kill -- -{pid}")


def _is_child_of_another(pid: int, folder: Path) -> bool:
    """Data loaders are forks of their engine process with the same command line."""
    try:
        parent = psutil.Process(pid).ppid()
    except psutil.Error:
        return True
    return engine_folder(parent) == folder


# -- runs ------------------------------------------------------------------------------------------------------


def _active(run: Run) -> Iterator[Finding]:
    if run.is_watched:
        return  # a run that trains elsewhere has no process here; a job follows it
    host = run.worker.host if run.worker else settings.HOST_NAME
    if host != settings.HOST_NAME:
        if not (run.worker and run.worker.is_alive):
            sentence = f"Run {run.pk} is {run.status} on another host, whose worker sends no heartbeat."
            yield wrong(sentence, START_A_WORKER)
        return
    if is_followed(run):
        return
    if EngineProcess.find(run.attempt_folder):
        sentence = f"Run {run.pk} trains, and no worker follows it: its journal keeps its events."
        yield look_at(sentence, START_A_WORKER)
    else:
        sentence = f"Run {run.pk} is {run.status}, and has neither a process nor a worker."
        yield wrong(sentence, START_A_WORKER, _end_as_a_worker_would(run))


def _lost(run: Run) -> Iterator[Finding]:
    """Its worker was silent for too long; the next worker takes it over together with its process."""
    if EngineProcess.find(run.attempt_folder):
        yield look_at(f"Run {run.pk} is marked as lost, but its process is alive and trains.", START_A_WORKER)


def is_followed(run: Run) -> bool:
    """Whether a living worker follows the run; a worker that cannot reach the database still holds its lock."""
    return run.worker is not None and (NameLock(run.worker.name).is_held or run.worker.is_alive)


def _end_as_a_worker_would(run: Run) -> Mend:
    """The worker's own code reads its journal to the end, ends it, and queues it again if its policy says so."""

    def end() -> str:
        run.refresh_from_db()
        if not run.is_active or is_followed(run) or EngineProcess.find(run.attempt_folder):
            return "It was left alone, because a worker has it again."
        Following(run, None, Publisher()).step(shutting_down=False)
        run.refresh_from_db()
        return f"It is {run.status} now."

    return end


def _open_commands() -> Iterator[Finding]:
    """A command that no process will answer: its run has ended, or is in a later attempt."""
    ended = Run.objects.filter(commands__status__in=RunCommand.OPEN, status__in=Run.ENDED).distinct()
    for run in ended.exclude(pk__in=Run.objects.lost()):  # a stop still counts when the worker of a lost run is back
        count = run.commands.filter(status__in=RunCommand.OPEN).count()
        sentence = f"Run {run.pk} is {run.status}, and {counted(count, 'command')} of it still open."
        yield look_at(sentence, MEND, partial(_expire, run))


def _expire(run: Run) -> str:
    run.refresh_from_db()
    if not run.is_ended:
        return "They were left alone, because the run continues."
    closed = run.close_commands(_("The run has ended."), _("The run ended before this was done."))
    return f"{counted_are(len(closed), 'command')} closed now."


def _silent_jobs() -> Iterator[Finding]:
    silent = Job.objects.silent().count()
    if silent and not Worker.objects.alive().exists():
        yield note(f"{counted(silent, 'job')} lost its worker; the next worker starts it again.")
