"""The pictures and videos that runs generate during training."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings as site_settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from training.models import Run

VIDEOS = frozenset({".mp4", ".webm", ".mkv", ".mov", ".avi"})


class SampleQuerySet(models.QuerySet["Sample"]):
    def newest_first(self) -> SampleQuerySet:
        return self.order_by("-created_at", "-pk")

    def present(self) -> SampleQuerySet:
        """Without those of steps that a later attempt trained again."""
        return self.filter(superseded=False)

    def supersede(self, run: Run, attempt: int, first_step: int) -> int:
        """Mark samples of attempts before this one, which continues after `first_step` steps; return how many.

        A sample of that very step shows the weights of the backup, which still count.
        """
        earlier = self.filter(run=run, attempt__lt=attempt, superseded=False)
        again = Q(global_step__gt=first_step) if first_step else Q()
        return earlier.filter(again).update(superseded=True)


class Sample(models.Model):
    """One picture of a run, with the settings that made it."""

    class Kind(models.TextChoices):
        DEFAULT = "default", "default"
        CUSTOM = "custom", "custom"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="samples")
    attempt = models.PositiveIntegerField()
    sequence = models.PositiveBigIntegerField(help_text="The sequence number of its event in the journal.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DEFAULT)
    path = models.CharField(max_length=1000, help_text="Absolute, on the worker's host.")
    index = models.PositiveIntegerField(default=0, help_text="Which of the run's sample prompts.")
    prompt = models.TextField(blank=True)
    settings = models.JSONField(default=dict, help_text="The SampleConfig that made it, with the real seed.")
    global_step = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    is_ema = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    superseded = models.BooleanField(default=False, help_text="True if a later attempt trained its steps again.")
    favourite = models.BooleanField(default=False, help_text="Never deleted to free space.")
    favourite_by = models.ForeignKey(
        site_settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = SampleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "sequence"], name="one_sample_per_journal_event")
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id", "global_step"], name="samples_newest"),
            models.Index(fields=["run", "-created_at", "-id"], name="samples_newest_of_run"),
            models.Index(fields=["kind", "-created_at", "-id"], name="samples_newest_of_kind"),
            models.Index(fields=["-created_at", "-id"], condition=Q(favourite=True), name="samples_newest_favourites"),
            models.Index(fields=["run", "global_step", "index"]),
        ]

    def __str__(self) -> str:
        return f"step {self.global_step}: {self.prompt[:60]}"

    def get_absolute_url(self) -> str:
        return reverse("sample", args=[self.pk])

    @property
    def file(self) -> Path:
        return Path(self.path)

    def series(self) -> SampleQuerySet:
        """The present samples of this prompt in the run, first step first; of a custom sample, those with its seed."""
        facts = {"kind": self.kind, "index": self.index, "prompt": self.prompt, "is_ema": self.is_ema}
        if self.kind == self.Kind.CUSTOM:
            facts["settings__seed"] = self.settings.get("seed")
        return Sample.objects.present().filter(run=self.run_id, **facts).order_by("global_step", "created_at", "pk")

    @property
    def is_video(self) -> bool:
        return self.file.suffix.lower() in VIDEOS

    @property
    def label(self) -> str:
        """The text for people who cannot see the picture."""
        sentence = _("Step %(step)s: %(prompt)s")
        if self.superseded:
            sentence = _("Step %(step)s, which was trained again later: %(prompt)s")
        return sentence % {"step": self.global_step, "prompt": self.prompt[:80]}

    @property
    def tick_label(self) -> str:
        return _("Tick %(sample)s") % {"sample": self.label}

    def get_thumbnail_url(self) -> str:
        return f"/api/samples/{self.pk}/thumbnail"

    def get_file_url(self) -> str:
        """The address in the API; clients store it, so it never changes."""
        return f"/api/samples/{self.pk}/file"

    def to_dict(self) -> JsonObject:
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
                "thumbnail_url": self.get_thumbnail_url(),
                "favourite": self.favourite,
                "superseded": self.superseded,
            },
        }
