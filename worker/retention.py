"""The worker's part of retention: after each new file of its runs, what the policy lets go is removed."""

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
LATELY = timedelta(hours=1)  # for so long after its end, a changed policy is followed at once; later by the clean-up


class RetentionKeeper(Watch):
    """Looks after the runs of one worker; a run in which nothing is new costs two small queries.

    A thread of its own, since large files can take seconds to remove.
    """

    def __init__(self, worker: str):
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
                logger.exception("What the retention policy lets go of run %s could not be removed.", run)
                return news
            if gone:
                logger.info("Removed %d files of run %s, as its retention policy says.", gone, run)
        return news


def _news_of(run: Run) -> Any:
    newest = run.artifacts.aggregate(Max("created_at")), Sample.objects.filter(run=run).aggregate(Max("created_at"))
    return *newest, run.status, RetentionPolicy.of(run).to_dict()
