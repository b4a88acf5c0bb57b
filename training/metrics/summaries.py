"""Curves of any length in constant time: stored extremes and means of each 16, 256, 4096 and 65,536 steps.

A row of `MetricSummary` holds one tag's values of the steps from `bucket * width` on. It is made from the rows of the
level below when the run has passed its last step. Values without a summary yet are read from that level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby

from django.db import connection
from django.db.models import F, Max, Min, QuerySet

from training.metrics.thinning import Point, Stretch, Thinner
from training.models import Metric, MetricSummary, Run

WIDTH = 16  # buckets of a level per bucket of the next level, and steps per bucket of the first
LEVELS = (1, 2, 3, 4)
BATCH = 500  # buckets of all tags at once
FACTS = ("count", "total", "low_step", "low_value", "low_time", "high_step", "high_value", "high_time")
Rows = Iterator[tuple[str, Stretch]]

# One index look-up for each tag, for any number of values.
TAGS = """
WITH RECURSIVE tags(tag) AS (
    SELECT MIN(tag) FROM {metric} WHERE run_id = %s
    UNION ALL
    SELECT (SELECT MIN(tag) FROM {metric} WHERE run_id = %s AND tag > tags.tag) FROM tags WHERE tag IS NOT NULL
)
SELECT tag,
    (SELECT MIN(step) FROM {metric} WHERE run_id = %s AND tag = tags.tag),
    (SELECT MAX(step) FROM {metric} WHERE run_id = %s AND tag = tags.tag)
FROM tags WHERE tag IS NOT NULL
"""


def spans(run: Run) -> dict[str, tuple[int, int]]:
    """The first and the last measured step, by tag."""
    pk = Run._meta.pk.get_db_prep_value(run.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(TAGS.format(metric=Metric._meta.db_table), [pk] * 4)
        return {tag: (first, last) for tag, first, last in cursor.fetchall()}


def sum_up(run: Run, since: int) -> None:
    """Make the rows of all buckets that the run has passed; `since` is the first step with new values.

    Rows of that step and later steps, from an attempt that was trained again, are made again.
    """
    if since < _summed(run, 1) * WIDTH:
        _forget_from(run, since)
    found = spans(run)
    last = max((span[1] for span in found.values()), default=0)
    for level in LEVELS:
        begin, end = _summed(run, level), last // WIDTH**level
        if begin == end:
            return
        while begin < end and (step := _next_step(run, found, level - 1, begin * WIDTH**level)) is not None:
            begin, some = min(end, step // WIDTH**level + BATCH), step
            rows = _read(run, found, level - 1, some, begin * WIDTH**level - 1)
            # read to the end first: SQLite refuses a write whose connection has an open, outdated read
            MetricSummary.objects.bulk_create(list(_summaries(run, level, rows)))


def _next_step(run: Run, tags: Iterable[str], level: int, step: int) -> int | None:
    """The step of the next value of this level, at this step or later."""
    if level:
        later = run.metric_summaries.filter(level=level, bucket__gte=step // WIDTH**level)
        bucket = later.aggregate(next=Min("bucket"))["next"]
        return None if bucket is None else bucket * WIDTH**level
    values = run.metrics.present().filter(step__gte=step)
    return min(
        (row[0] for tag in tags for row in values.filter(tag=tag).order_by("step").values_list("step")[:1]),
        default=None,
    )


def _forget_from(run: Run, step: int) -> None:
    for level in LEVELS:
        run.metric_summaries.filter(level=level, bucket__gte=step // WIDTH**level).delete()


def _summed(run: Run, level: int) -> int:
    """The first bucket of this level without a row."""
    newest = run.metric_summaries.filter(level=level).aggregate(newest=Max("bucket"))["newest"]
    return 0 if newest is None else newest + 1


def _summaries(run: Run, level: int, rows: Rows) -> Iterator[MetricSummary]:
    for (tag, bucket), group in groupby(rows, lambda row: (row[0], row[1].low.step // WIDTH**level)):
        whole, *others = (stretch for _, stretch in group)
        for stretch in others:
            whole.take(stretch)
        facts = zip(FACTS, (whole.count, whole.total, *whole.low, *whole.high), strict=True)
        yield MetricSummary(run=run, level=level, tag=tag, bucket=bucket, **dict(facts))


def _read(run: Run, tags: Iterable[str], level: int, first: int, last: int) -> Rows:
    """The rows of a level in these steps, in order; level 0 has the values themselves."""
    if level == 0:
        values = run.metrics.present().filter(tag__in=list(tags), step__gte=first, step__lte=last)
        return _values(values.order_by("tag", "step", "attempt"))
    width = WIDTH**level
    rows = run.metric_summaries.filter(level=level, bucket__gte=first // width, bucket__lte=last // width)
    facts = (
        rows.filter(tag__in=list(tags)).order_by("tag", "bucket").values_list("tag", *FACTS).iterator(chunk_size=5000)
    )
    return ((row[0], Stretch(row[1], row[2], Point(*row[3:6]), Point(*row[6:]))) for row in facts)


def _values(rows: QuerySet[Metric]) -> Rows:
    for tag, step, value, time in rows.values_list("tag", "step", "value", "time").iterator(chunk_size=5000):
        point = Point(step, value, time)
        yield tag, Stretch(1, value, point, point)


def thinned(run: Run, tags: Iterable[str], first: int, last: int, points: int) -> dict[str, Thinner]:
    """Each tag's curve between two steps: from the coarsest sufficient level, completed from the levels below."""
    wanted = max(1, (points - 2) // 2)
    thinners: dict[str, Thinner] = defaultdict(lambda: Thinner(first, last, points))
    begin = first
    for level in reversed([0, *LEVELS]):
        width = WIDTH**level
        if level and (last - first + 1) // width < wanted:
            continue
        end = last if level == 0 else min(last, _summed(run, level) * width - 1)
        if begin <= end:
            for tag, stretch in _read(run, tags, level, begin, end):
                thinners[tag].take(stretch)
            begin = end + 1
    return dict(thinners)


def old_values(run: Run, tags: Iterable[str], first: int, last: int, points: int) -> dict[str, Thinner]:
    """The same for values of steps that were trained again; of very many values, only every Nth."""
    rows = run.metrics.filter(superseded=True, tag__in=list(tags), step__gte=first, step__lte=last)
    each = 1 + rows.count() // (WIDTH * points)
    thinners: dict[str, Thinner] = defaultdict(lambda: Thinner(first, last, points))
    chosen = rows.annotate(turn=F("step") % each).filter(turn=0)
    for tag, stretch in _values(chosen.order_by("tag", "step", "attempt")):
        thinners[tag].take(stretch)
    return dict(thinners)
