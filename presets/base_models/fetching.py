"""The work of a fetch, in its own process: plan, free space, files, hashes; the row holds the progress."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from django.conf import settings
from django.utils.translation import gettext as _

from engine.interface.free_space import free_bytes, in_words
from presets.base_models import addresses, hub
from presets.base_models.download import DiskIsFull, fetch
from presets.base_models.plan import FetchPlan
from presets.models import ModelFetch
from system.account import secrets
from system.jobs import Hold
from system.models import Job
from web.database import is_passing
from web.outgoing import Unreachable, client

logger = logging.getLogger(__name__)
REPORT_SECONDS = 0.5
SPEED_SECONDS = 10.0  # over which the speed is measured
MARGIN = 500_000_000  # bytes that stay free for journals and other programs
News = Callable[[ModelFetch], object]


def do_fetch(row: ModelFetch, tell: News) -> None:
    """Fetch the model, and end the row with its name. Raises DomainError, and JobLost after a cancellation."""
    progress = FetchProgress(row, tell)
    try:
        _fetch_all(row, progress)
    except Unreachable:
        progress.may_pass()
        raise
    sentence = _("Fetched: %(size)s.") % {"size": in_words(progress.done)}
    row.end(Job.Status.DONE, sentence, result={**progress.facts, "speed": 0})
    tell(row)


def _fetch_all(row: ModelFetch, progress: FetchProgress) -> None:
    progress.enter("looking", detail=_("Reading the list of files."))
    plan = plan_of(row)
    progress.begin(plan)
    refuse_without_space(plan)
    with client([settings.HF_ENDPOINT, settings.CIVITAI_ENDPOINT]) as session:
        for file in plan.files:
            fetch(session, file, progress.count)
    progress.save()
    plan.finish()


def plan_of(row: ModelFetch) -> FetchPlan:
    """Its files, with the token of the user who asked for it. Raises DomainError."""
    if row.is_by_name:
        token = secrets.token_for(row.user, hub.host())
        return hub.plan_of(row.source, token, row.cache_dir)
    return addresses.plan_of(row.source, lambda host: secrets.token_for(row.user, host), row.sha256)


def refuse_without_space(plan: FetchPlan) -> None:
    """Raises DiskIsFull before the first byte."""
    free = free_bytes(plan.folder)
    if plan.missing and plan.missing + MARGIN > free:
        raise DiskIsFull(
            _("%(name)s needs %(missing)s, and %(free)s are free in %(folder)s: free %(more)s, then continue.")
            % {
                "name": plan.name,
                "missing": in_words(plan.missing),
                "free": in_words(free),
                "folder": plan.folder,
                "more": in_words(plan.missing + MARGIN - free),
            }
        )


class FetchProgress:
    """Counts bytes and measures the speed; saves both twice a second, which is also the row's heartbeat."""

    def __init__(self, row: ModelFetch, tell: News) -> None:
        self.row, self._tell = row, tell
        self._hold = Hold(row)
        self.done = self.total = self.checked = 0
        self.phase = ""
        self._facts: dict[str, object] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._saved_at = 0.0

    def begin(self, plan: FetchPlan) -> None:
        self.total = plan.size
        self.done = plan.size - plan.missing
        self._facts = {"model": plan.name, "files": len(plan.files), **plan.facts}
        self._recent = deque([(time.monotonic(), self.done)])
        self.enter("fetching", detail="")

    def enter(self, phase: str, detail: str = "") -> None:
        self.phase = phase
        self.save(detail=detail)

    def count(self, phase: str, size: int) -> None:
        """Take note of the next bytes, fetched or checked."""
        if phase == "fetching":
            self.done += size
            self.total = max(self.total, self.done)
        if time.monotonic() - self._saved_at >= REPORT_SECONDS:
            self.phase = phase
            self.save()

    def may_pass(self) -> None:
        """Mark a failure that a later try may not meet, such as a hub that is away."""
        self._facts["passing"] = True
        self.save()

    @property
    def facts(self) -> dict[str, object]:
        return {**self._facts, "phase": self.phase, "bytes": self.done, "total": self.total, "speed": self._speed()}

    def save(self, **facts: str) -> None:
        """Raises JobLost if the fetch was cancelled, or another process does it."""
        self._saved_at = time.monotonic()
        self._recent.append((self._saved_at, self.done))
        while len(self._recent) > 2 and self._saved_at - self._recent[0][0] > SPEED_SECONDS:
            self._recent.popleft()
        try:
            self._hold(result=self.facts, **facts)
        except Exception as error:
            if not is_passing(error):
                raise
            logger.warning("The database is away, so the progress of %s is not stored: %s", self.row, error)
        self.row.result = self.facts
        self.row.detail = facts.get("detail", self.row.detail)
        self._tell(self.row)

    def _speed(self) -> int:
        if len(self._recent) < 2 or self.phase != "fetching":
            return 0
        (began, before), (ended, after) = self._recent[0], self._recent[-1]
        return max(0, round((after - before) / (ended - began))) if ended > began else 0
