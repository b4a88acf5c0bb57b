"""The worker's part of retention: after each new file of its runs, old files are deleted by the policy."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db.models import Max, Q
from django.utils.timezone import now

from samples import retention as pictures
from samples.models import Sample
from training.models import RetentionPolicy, Run
from training.runs import retention as keeping
from web.threads import Watch

logger = logging.getLogger(__name__)
LOOK_SECONDS = 5.0
LATELY = timedelta(
    hours=1
)  # how long after a run's end a changed policy applies at once; later the clean-up applies it


class RetentionKeeper(Watch):
    """Checks the runs of one worker; a run without news costs two small queries.

    It is a thread, since deleting large files can take seconds.
    """

    def __init__(self, worker: str) -> None:
        super().__init__("removals of old files", LOOK_SECONDS)
        self.worker = worker
        self._seen: dict[Any, Any] = {}

    def look(self) -> None:
        lately = Q(status__in=Run.ACTIVE) | Q(ended_at__gte=now() - LATELY)
        runs = list(Run.objects.filter(lately, worker__name=self.worker))
        self._seen = {run.pk: self._look_at(run) for run in runs}

    def _look_at(self, run: Run) -> Any:
        news = _news_of(run)
        if news != self._seen.get(run.pk):
            try:
                gone = keeping.apply_policy(run) + pictures.apply_policy(run)
            except OSError:
                logger.exception("Old files of run %s could not be deleted.", run)
                return news
            if gone:
                logger.info("Deleted %d files of run %s according to its retention policy.", gone, run)
        return news


def _news_of(run: Run) -> Any:
    newest = run.artifacts.aggregate(Max("created_at")), Sample.objects.filter(run=run).aggregate(Max("created_at"))
    return *newest, run.status, RetentionPolicy.of(run).to_dict()
