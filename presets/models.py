"""Presets with their versions, and each user's working config."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models, transaction

NAME = RegexValidator(
    r"^[^/\x00-\x1f]+(/[^/\x00-\x1f]+)?\Z",
    "A preset's name holds at most one folder, such as 'SDXL/LoRA 16GB', and no control characters.",
)


class PresetQuerySet(models.QuerySet["Preset"]):
    def listed(self) -> PresetQuerySet:
        """Those that are offered for new runs, by name."""
        return self.filter(archived=False).order_by("name")


class Preset(models.Model):
    """A named partial config: only what differs from the engine's defaults."""

    name = models.CharField(
        max_length=200, unique=True, validators=[NAME], help_text="At most one folder: SDXL/LoRA 16GB"
    )
    description = models.TextField(blank=True)
    config = models.JSONField(default=dict, help_text="What differs from the engine's defaults.")
    version = models.PositiveIntegerField(default=0, editable=False)
    archived = models.BooleanField(default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="presets"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PresetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0]

    @transaction.atomic
    def save_version(self, config: dict[str, Any], by: Any = None, note: str = "") -> PresetVersion:
        """Make `config` the preset's content, as a new version; the row lock keeps the numbers unique."""
        if self.pk is None:
            self.save()
        locked = Preset.objects.select_for_update().get(pk=self.pk)
        self.config, self.version = config, locked.version + 1
        self.save(update_fields=["config", "version", "updated_at"])
        return self.versions.create(number=self.version, config=config, created_by=by, note=note)


class PresetVersion(models.Model):
    """A preset's content as it once was; never changed."""

    preset = models.ForeignKey(Preset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    config = models.JSONField()
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["preset", "number"], name="one_row_per_preset_version")]

    def __str__(self) -> str:
        return f"{self.preset.name} v{self.number}"


class WorkingConfig(models.Model):
    """The config that a user is working on: `/api/config/current`, and the start of a new run's form."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="working_config")
    config = models.JSONField(default=dict)
    engine = models.CharField(max_length=20, default="builtin")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"working config of {self.user}"
