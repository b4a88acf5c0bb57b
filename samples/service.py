"""What users do with samples; pages, API and admin all call it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from samples.models import Sample
from samples.thumbnails import kept_at
from system.audit import record
from training.models import Run
from web.errors import NotNow


class SampleService:
    """What `user` does with samples."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user if user is not None and user.is_authenticated else None

    def mark(self, samples: Iterable[Sample], favourite: bool) -> int:
        """Mark samples as favourites, or remove the mark; return how many changed."""
        ids = [sample.pk for sample in samples]
        changing = Sample.objects.filter(pk__in=ids).exclude(favourite=favourite)
        return changing.update(favourite=favourite, favourite_by=self.user if favourite else None)

    def delete(self, samples: Iterable[Sample]) -> int:
        """Delete rows, then files: a kill in between leaves only files without a row. Raises NotNow."""
        samples = list(samples)
        runs = Run.objects.in_bulk({sample.run_id for sample in samples})
        for sample in samples:
            self._refuse(sample, runs[sample.run_id])
        with transaction.atomic():
            Sample.objects.filter(pk__in=[sample.pk for sample in samples]).delete()
            self._record(samples, runs)
        for sample in samples:
            sample.file.unlink(missing_ok=True)
            kept_at(sample).unlink(missing_ok=True)
        return len(samples)

    def _record(self, samples: list[Sample], runs: dict[Any, Run]) -> None:
        for key, run in runs.items():
            steps = sorted({sample.global_step for sample in samples if sample.run_id == key})
            record("samples.deleted", actor=self.user, thing=run, before={"steps": steps})

    def _refuse(self, sample: Sample, run: Run) -> None:
        if sample.favourite:
            raise NotNow(
                _("The sample of step %(step)s is a favourite: remove the mark first.") % {"step": sample.global_step}
            )
        if not sample.file.resolve().is_relative_to(run.folder.resolve()):
            raise NotNow(
                _("%(path)s was not written by this site: delete it in its own folder.") % {"path": sample.path[:200]}
            )
