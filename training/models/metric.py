"""The metrics of a run: each value, and summaries of many steps."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class MetricQuerySet(models.QuerySet["Metric"]):
    def present(self) -> MetricQuerySet:
        """Without values of steps that a resumed attempt trained again."""
        return self.filter(superseded=False)


class Metric(models.Model):
    """One scalar of one step."""

    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="metrics", db_index=False)
    attempt = models.PositiveIntegerField()
    tag = models.CharField(max_length=100)
    step = models.PositiveBigIntegerField()
    value = models.FloatField()
    time = models.FloatField(help_text="Seconds since the epoch.")
    superseded = models.BooleanField(default=False)

    objects = MetricQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "tag", "step", "attempt"], name="one_value_per_tag_and_step")
        ]
        indexes = [models.Index(fields=["run", "tag", "step"], condition=Q(superseded=True), name="superseded_values")]

    def __str__(self) -> str:
        return f"{self.tag}@{self.step} = {self.value}"


class MetricSummary(models.Model):
    """The summary of a tag's values over many steps, for charts; see `training.metrics.summaries`."""

    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="metric_summaries", db_index=False)
    tag = models.CharField(max_length=100)
    level = models.PositiveSmallIntegerField(help_text="A bucket of this level spans 16 ** level steps.")
    bucket = models.PositiveBigIntegerField(help_text="The first step divided by the number of steps.")
    count = models.PositiveBigIntegerField()
    total = models.FloatField()
    low_step = models.PositiveBigIntegerField()
    low_value = models.FloatField()
    low_time = models.FloatField()
    high_step = models.PositiveBigIntegerField()
    high_value = models.FloatField()
    high_time = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "level", "bucket", "tag"], name="one_summary_per_tag_and_bucket")
        ]

    def __str__(self) -> str:
        return f"{self.tag}, level {self.level}, bucket {self.bucket}"
