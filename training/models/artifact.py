"""The files that a run writes: backups, saved models and the final model."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from engine.interface.json_types import JsonObject


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def backups(self) -> ArtifactQuerySet:
        """Those that a run can be continued from: present and not known as damaged."""
        return self.filter(kind=Artifact.Kind.BACKUP, deleted_at=None, is_damaged=False)


class Artifact(models.Model):
    """A backup, a saved model or the final model."""

    class Kind(models.TextChoices):
        BACKUP = "backup", "backup"
        SAVE = "save", "save"
        MODEL = "model", "final model"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey("training.Run", on_delete=models.CASCADE, related_name="artifacts")
    attempt = models.PositiveIntegerField()
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    path = models.CharField(max_length=1000)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Hash of the file, or of a folder's manifest.")
    global_step = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="When its file was deleted, by retention or by a user."
    )
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    deleted_why = models.CharField(max_length=200, blank=True)
    is_damaged = models.BooleanField(default=False, help_text="True if an attempt to continue from it failed.")
    pinned = models.BooleanField(default=False, help_text="Never deleted to free space.")

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "sequence"], name="one_artifact_per_journal_event")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at step {self.global_step}"

    @property
    def exists(self) -> bool:
        return self.deleted_at is None and Path(self.path).exists()

    def to_dict(self) -> JsonObject:
        """As the API and the WebSocket show it."""
        return {
            "id": str(self.pk),
            "run_id": str(self.run_id),
            "kind": self.kind,
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256,
            "global_step": self.global_step,
            "epoch": self.epoch,
            "attempt": self.attempt,
            "created_at": self.created_at,
            "exists": self.exists,
            "is_damaged": self.is_damaged,
            "pinned": self.pinned,
            "deleted_at": self.deleted_at,
            "deleted_why": self.deleted_why,
        }
