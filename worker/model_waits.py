"""A queued run whose base model is not on this machine: a fetch brings it, and the run waits with the reason."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils.timezone import now

from engine.interface.free_space import in_words
from engine.needed_models import missing_models
from presets.base_models.requests import request_fetch
from presets.models import ModelFetch
from system.models import Job
from training.models import Run
from training.models.obstacle import MODEL_CODES, MODEL_COMES, MODEL_FAILED, MODEL_WAITS, Obstacle
from web.errors import DomainError

RETRY = timedelta(minutes=5)  # after a failure that may pass, such as an unreachable hub


def model_obstacle(run: Run) -> Obstacle:
    """Empty if the run's models are here, or if this worker cannot fetch them; then its engine says why."""
    names = missing_models(run.config, run.engine)
    if not names:
        return {}
    name, cache_dir = names[0], str(run.config.get("huggingface_cache_dir") or "")
    if _another_machine_fetches(run, name):
        return run.obstacle  # type: ignore[return-value]
    last = ModelFetch.objects.of(name, settings.HOST_NAME).filter(arguments__cache_dir=cache_dir).first()
    if last is not None and last.status == Job.Status.DONE and last.ended_at and last.ended_at > run.queued_at:
        return {}  # fetched for this run: what it still lacks is for the check to say
    if last is None or not (last.is_open or _stays_failed(last, run)):
        try:
            last = request_fetch(name, run.owner, host=settings.HOST_NAME, cache_dir=cache_dir)
        except DomainError:
            return {}
    return _told(last)


def _another_machine_fetches(run: Run, name: str) -> bool:
    host = run.obstacle.get("host", "")
    if run.obstacle.get("code") not in MODEL_CODES or host == settings.HOST_NAME:
        return False
    return ModelFetch.objects.of(name, host).open().exists()


def _stays_failed(row: ModelFetch, run: Run) -> bool:
    """True for an ended fetch of this run that is not tried again without a user."""
    if row.status == Job.Status.DONE or row.ended_at is None or row.ended_at < run.queued_at:
        return False
    return not (row.result.get("passing") and now() - row.ended_at > RETRY)


def _told(row: ModelFetch) -> Obstacle:
    facts: Obstacle = {"model": row.source, "host": row.host}
    if row.status in (Job.Status.FAILED, Job.Status.CANCELLED):
        return {**facts, "code": MODEL_FAILED, "why": row.detail[:500]}
    if row.status != Job.Status.RUNNING or row.fraction is None:
        return {**facts, "code": MODEL_WAITS}
    return {**facts, "code": MODEL_COMES, "percent": int(row.fraction * 100), "size": in_words(row.bytes_total)}
