"""Events of runs."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.timezone import now


class RunEvent(models.Model):
    """One line of a run's timeline: a status change, a warning, an artifact, a failure."""

    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="events")
    attempt = models.PositiveIntegerField(default=0)
    sequence = models.PositiveBigIntegerField(null=True, help_text="Its number in the journal, if it has one.")
    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "attempt", "sequence"],
                condition=Q(sequence__isnull=False),
                name="one_row_per_journal_event",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%H:%M:%S}"
