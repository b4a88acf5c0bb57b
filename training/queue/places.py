"""A place in the queue for a new run; with the queue off, there is none while another run trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils.translation import gettext as _

from training.models import Run
from web.errors import NotNow


@contextmanager
def place_in_queue() -> Iterator[None]:
    """A transaction that queues a run; with the queue off, one start waits here for the end of another."""
    with transaction.atomic():
        if not settings.QUEUE:
            ContentType.objects.select_for_update().get(app_label="training", model="run")  # a row that always exists
            refuse_a_second()
        yield


def put_first(run: Run) -> None:
    """Move a waiting run before the other runs of its priority. Call it in a transaction."""
    others = Run.objects.queued().filter(priority=run.priority).exclude(pk=run.pk)
    number([run, *others.only("pk", "place")])


def number(runs: list[Run]) -> None:
    """Let runs of one priority start in this order."""
    for place, run in enumerate(runs, start=1):
        run.place = place
    Run.objects.bulk_update(runs, ["place"], batch_size=500)


def refuse_a_second() -> None:
    """With the queue off, a start has to wait until no run trains; raises NotNow."""
    waiting = (Run.Status.QUEUED, *Run.ACTIVE)
    own = Run.objects.filter(status__in=waiting).exclude(pk__in=Run.objects.watched().values("pk"))
    if not settings.QUEUE and (run := own.first()):
        raise NotNow(
            _("“%(name)s” is %(status)s and the queue is off: stop it, or wait until it has ended.")
            % {"name": run.name, "status": run.get_status_display()}
        )
