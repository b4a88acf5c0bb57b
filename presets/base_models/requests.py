"""Asking for base models: each fetch is a job, and a worker of its machine does one after the other."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from presets.base_models.names import checked_hash, checked_source
from presets.models import ModelFetch
from system.audit import Thing, record
from system.models import Job, Worker
from web.errors import BadInput, NotNow

MOST_WAITING = 50
SHOWN = 50


def machines() -> list[str]:
    """The machines that can fetch: this one first if it has a worker, or if there is no worker at all."""
    hosts = sorted(set(Worker.objects.alive().values_list("host", flat=True)), key=lambda host: host != _own())
    return hosts or [_own()]


def _own() -> str:
    return settings.HOST_NAME


def request_fetch(source: str, user: User | None, sha256: str = "", host: str = "", cache_dir: str = "") -> ModelFetch:
    """Queue the fetch of a model by its name or address; an open fetch of the same is returned. Raises BadInput."""
    source, sha256 = checked_source(source), checked_hash(sha256)
    host = host or machines()[0]
    if host not in {*machines(), _own()}:
        raise BadInput(_("No worker runs on %(host)s: choose another machine.") % {"host": host[:200]})
    arguments = {"source": source, "sha256": sha256, "cache_dir": cache_dir}
    with transaction.atomic():
        if found := ModelFetch.objects.of(source, host).open().filter(arguments__cache_dir=cache_dir).first():
            return found
        if ModelFetch.objects.open().count() >= MOST_WAITING:
            raise NotNow(_("%(most)s fetches wait already: wait for some of them.") % {"most": MOST_WAITING})
        forget_ended(source, host)
        row = ModelFetch.objects.create(kind=Job.Kind.FETCH, user=user, host=host, arguments=arguments)
        record("model.fetched", actor=user, thing=thing_of(row), after={"host": host})
        return row


def thing_of(row: ModelFetch) -> Thing:
    """The model in the audit log, without the query of an address, which may hold a signature."""
    return Thing("base model", str(row.pk), row.source.partition("?")[0])


def forget_ended(source: str, host: str) -> None:
    """Remove earlier fetches of the same source, which the new one continues."""
    ModelFetch.objects.of(source, host).exclude(status__in=Job.OPEN).delete()


def continue_fetch(row: ModelFetch, user: User | None) -> ModelFetch:
    """Fetch the rest after a failure or a cancellation. Raises NotNow."""
    if row.is_open or row.status == Job.Status.DONE:
        raise NotNow(_("This fetch needs no continuation: it is under way or done."))
    return request_fetch(row.source, user, row.sha256, row.host, row.cache_dir)


@transaction.atomic
def cancel(row: ModelFetch) -> None:
    """End a fetch; its process notices at its next report, and what it fetched is kept. Raises NotNow."""
    facts = {"status": Job.Status.CANCELLED, "detail": _("Cancelled: the fetched part is kept."), "ended_at": now()}
    if not ModelFetch.objects.open().filter(pk=row.pk).update(**facts):
        raise NotNow(_("This fetch has ended already."))
    row.refresh_from_db()
    record("model.fetch_cancelled", thing=thing_of(row))


def recent() -> list[ModelFetch]:
    """Open fetches in their order, then ended ones, the newest first."""
    rows = list(ModelFetch.objects.get_queryset().select_related("user")[:SHOWN])
    is_open = [row for row in reversed(rows) if row.is_open]
    ended = [row for row in rows if not row.is_open]
    return [*sorted(is_open, key=lambda row: row.status != Job.Status.RUNNING), *ended]
