"""The worker's thread for jobs: it starts and checks a child process for each claimed job."""

from __future__ import annotations

from django.conf import settings

from system.jobs import logger
from system.models import Job
from training.models import Run
from web.database import is_passing
from web.threads import Watch
from worker.job_process import CommandProcess, FetchProcess, JobProcess, fail
from worker.preflight_process import PreflightProcess

LOOK_SECONDS = 0.5  # a user waits for a preflight
PROCESSES: dict[str, type[JobProcess]] = {Job.Kind.PREFLIGHT: PreflightProcess, Job.Kind.FETCH: FetchProcess}


class JobKeeper(Watch):
    """Claims due jobs and starts a process for each, of a class that depends on the job's kind.

    The kernel kills these processes when their worker dies; another worker claims the jobs once their leases end.
    """

    def __init__(self, worker: str, gpu: str = "") -> None:
        super().__init__("jobs", LOOK_SECONDS)
        self.worker, self.gpu = worker, gpu
        self.host = settings.HOST_NAME
        self._before_this_life = worker  # an ended worker of this name has lost its processes
        self.processes: list[JobProcess] = []

    def end(self) -> None:
        """End the processes and release their jobs to other workers."""
        super().end()
        if self.is_alive():
            self.join()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.job.release()

    def look(self) -> None:
        self.step(self._before_this_life)
        self._before_this_life = ""

    def step(self, before_this_life: str = "") -> None:
        for process in list(self.processes):
            if not self._goes_on(process):
                self.processes.remove(process)
        self._adopt_runs()
        # Its own jobs may look silent after a time without the database, or after the machine was suspended.
        own = [process.job.pk for process in self.processes]
        for job in Job.objects.due(before_this_life).exclude(pk__in=own).order_by("created_at"):
            if self._has_room(job):
                self._begin(job)

    def _goes_on(self, process: JobProcess) -> bool:
        try:
            return process.goes_on()
        except Exception as error:
            if is_passing(error):
                raise
            process.kill()
            self._give_up(process.job, error)
            return False

    def _has_room(self, job: Job) -> bool:
        """Jobs of one process class wait for each other, never for jobs of another class."""
        kind = _class_of(job)
        return sum(type(process) is kind for process in self.processes) < kind.most_at_once

    def _begin(self, job: Job) -> None:
        """Claim the job if this worker can do it. A job that cannot be started fails, and blocks no other job."""
        try:
            if _class_of(job).is_for(job, self.host) and job.take(self.worker):
                logger.info("Doing %s.", job)
                self.processes.append(_class_of(job)(job, self.gpu, self.notice))
        except Exception as error:
            if is_passing(error):
                raise
            self._give_up(job, error)

    def _give_up(self, job: Job, error: Exception) -> None:
        logger.error("%s failed.", job, exc_info=error)
        if job.status == Job.Status.WAITING:
            job.take(self.worker)
        fail(job, _class_of(job).why_failed(error))

    def _adopt_runs(self) -> None:
        """Have a job follow each run that trains elsewhere, or it would look active for ever."""
        sources = set(Run.objects.watched().values_list("source", flat=True))
        if not sources:
            return
        followed = {job.arguments["path"] for job in Job.objects.open().filter(kind=Job.Kind.IMPORT)}
        for source in sources - followed:
            arguments = {"path": source, "name": "", "follow": True}
            Job.objects.create(kind=Job.Kind.IMPORT, arguments=arguments, host=self.host)


def _class_of(job: Job) -> type[JobProcess]:
    return PROCESSES.get(job.kind, CommandProcess)
