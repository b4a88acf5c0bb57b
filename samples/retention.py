"""Which pictures of a run the retention policy deletes: whole steps, and custom samples; favourites stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from engine.interface.files import remove
from samples.models import Sample
from samples.thumbnails import kept_at
from training.models import RetentionPolicy, Run
from training.runs.removal import lies_within, put_aside


def verdicts(run: Run, policy: RetentionPolicy) -> list[tuple[Sample, str]]:
    """Each sample with the reason why it is kept; empty if the policy deletes it."""
    found = [*_of_steps(run, policy), *_of_custom(run, policy)]
    return [(sample, why or why_it_stays(sample)) for sample, why in found]


def _of_steps(run: Run, policy: RetentionPolicy) -> Iterator[tuple[Sample, str]]:
    by_step: dict[int, list[Sample]] = {}
    for sample in _in_order(run, Sample.Kind.DEFAULT):
        by_step.setdefault(sample.global_step, []).append(sample)
    steps = sorted({*by_step, *_removed_steps(run)})
    split = policy.rule("samples").split(steps, by_step.__contains__)
    yield from ((sample, why) for step, why in split for sample in by_step[step])


def _of_custom(run: Run, policy: RetentionPolicy) -> list[tuple[Sample, str]]:
    return policy.rule("custom_samples").split(list(_in_order(run, Sample.Kind.CUSTOM)), lambda sample: True)


def _in_order(run: Run, kind: str) -> QuerySet[Sample]:
    return Sample.objects.filter(run=run, kind=kind).select_related("run").order_by("created_at", "pk")


def _removed_steps(run: Run) -> set[int]:
    removed = run.events.filter(kind="removed", data__kind="samples").values_list("data", flat=True)
    return {step for data in removed for step in data.get("steps", [])}


def why_it_stays(sample: Sample) -> str:
    if sample.favourite:
        return _("It is a favourite.")
    if not lies_within(sample.file, sample.run.folder):
        return _("It is outside the run's folder, where nothing is deleted.")
    return ""


def apply_policy(run: Run) -> int:
    """Delete the pictures that the policy does not keep; return how many."""
    policy = RetentionPolicy.of(run)
    if policy.keep_samples is None and policy.keep_custom_samples is None:
        return 0
    return remove_samples(run, [sample for sample, why in verdicts(run, policy) if not why], _("The retention policy."))


def remove_samples(run: Run, samples: Iterable[Sample], why: str, by: User | None = None) -> int:
    """Delete pictures with their rows, except new favourites; return how many."""
    doomed = [sample.pk for sample in samples]
    aside: list[tuple[Path, Path]] = []
    try:
        with transaction.atomic():
            still = Sample.objects.select_for_update().filter(pk__in=doomed, run=run, favourite=False)
            going = [sample for sample in still if not why_it_stays(sample)]
            aside += [(sample.file, moved) for sample in going if (moved := put_aside(sample.file))]
            if going:
                _note(run, going, why, by)
    except BaseException:
        for path, moved in aside:
            moved.rename(path)
        raise
    for file in [moved for path, moved in aside] + [kept_at(sample) for sample in going]:
        remove(file)
    return len(going)


def _note(run: Run, going: list[Sample], why: str, by: User | None) -> None:
    Sample.objects.filter(pk__in=[one.pk for one in going]).delete()
    steps = sorted({sample.global_step for sample in going if sample.kind == Sample.Kind.DEFAULT})
    data = {"kind": "samples", "count": len(going), "steps": steps, "why": why}
    run.events.create(attempt=run.attempt, kind="removed", data=data, user=by)
