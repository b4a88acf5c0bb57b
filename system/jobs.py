"""The heartbeat of a process that does a job."""

from __future__ import annotations

import logging
import time
from typing import Any

from system.models import Job

logger = logging.getLogger(__name__)
BEAT_SECONDS = 2.0


class JobLost(Exception):
    """Another process does this job now, or the job is over."""


class Hold:
    """The heartbeat of the process that does a job: call it repeatedly; raises JobLost."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._beat = time.monotonic()

    def __call__(self, **facts: Any) -> None:
        if not facts and time.monotonic() - self._beat < BEAT_SECONDS:
            if not Job.objects.open().filter(pk=self.job.pk, claim=self.job.claim).exists():
                raise JobLost(JobLost.__doc__)
            return
        if not self.job.change(**facts):
            raise JobLost(JobLost.__doc__)
        self._beat = time.monotonic()
