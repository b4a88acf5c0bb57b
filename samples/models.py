"""The pictures that runs draw while they train."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.db import models
from django.utils.timezone import now

from training.models import Run


class SampleQuerySet(models.QuerySet["Sample"]):
    def newest_first(self) -> SampleQuerySet:
        return self.order_by("-created_at", "-index")


class Sample(models.Model):
    """One picture of a run, with the settings that made it."""

    class Kind(models.TextChoices):
        DEFAULT = "default", "default"
        CUSTOM = "custom", "custom"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="samples")
    attempt = models.PositiveIntegerField()
    sequence = models.PositiveBigIntegerField(help_text="The journal's sequence number of the event that brought it.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DEFAULT)
    path = models.CharField(max_length=1000, help_text="Absolute, on the worker's host.")
    index = models.PositiveIntegerField(default=0, help_text="Which of the run's sample prompts.")
    prompt = models.TextField(blank=True)
    settings = models.JSONField(default=dict, help_text="The SampleConfig that made it, with the real seed.")
    global_step = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    is_ema = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    objects = SampleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "sequence"], name="one_sample_per_journal_event")
        ]
        indexes = [models.Index(fields=["-created_at"]), models.Index(fields=["run", "global_step", "index"])]

    def __str__(self) -> str:
        return f"step {self.global_step}: {self.prompt[:60]}"

    @property
    def file(self) -> Path:
        return Path(self.path)

    def get_file_url(self) -> str:
        """The address in the API, which clients know by heart: it never moves."""
        return f"/api/samples/{self.pk}/file"

    def to_dict(self) -> dict[str, Any]:
        """As API.md and the WebSocket show a sample."""
        return {
            "id": str(self.pk),
            "timestamp": self.created_at,
            "path": self.path,
            "url": self.get_file_url(),
            "metadata": {
                **self.settings,
                "run_id": str(self.run_id),
                "kind": self.kind,
                "index": self.index,
                "prompt": self.prompt,
                "global_step": self.global_step,
                "epoch": self.epoch,
                "is_ema": self.is_ema,
            },
        }
