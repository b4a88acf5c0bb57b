"""Jobs: asking for one, doing it in a process of its own, and the worker's thread that sees to that."""

from __future__ import annotations

import logging
import time
from typing import Any

from system.models import Job

logger = logging.getLogger(__name__)
BEAT_SECONDS = 2.0


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
