"""Commands to runs."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.timezone import now


class RunCommand(models.Model):
    """A command of a user to a run; first a row, so that it is never lost."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "requested"
        DELIVERED = "delivered", "delivered"
        DONE = "done", "done"
        REFUSED = "refused", "refused"
        EXPIRED = "expired", "expired"

    OPEN = (Status.REQUESTED, Status.DELIVERED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="commands")
    attempt = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    detail = models.TextField(blank=True, help_text="The result.")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=now)
    delivered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["requested_at"]
        indexes = [models.Index(fields=["run", "status"])]

    def __str__(self) -> str:
        return f"{self.kind} ({self.status})"

    def close(self, status: str, detail: str) -> None:
        """Store the result of the command."""
        self.status, self.detail, self.ended_at = status, detail, now()
        self.save(update_fields=["status", "detail", "ended_at"])
