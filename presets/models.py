"""Presets with their versions, drafts of configs with their history, preflights, and secrets."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils.timezone import now

from engine.interface.json_types import JsonObject
from presets.models_datasets import DataSet as DataSet  # noqa: PLC0414  a table of this app
from presets.models_datasets import DataSetChange as DataSetChange  # noqa: PLC0414
from presets.models_datasets import DataSetPicture as DataSetPicture  # noqa: PLC0414
from presets.models_datasets import DataSetUpload as DataSetUpload  # noqa: PLC0414
from presets.models_datasets import DataSetUse as DataSetUse  # noqa: PLC0414
from presets.models_datasets import DataSetVersion as DataSetVersion  # noqa: PLC0414
from system.account.models import Secret as Secret  # noqa: PLC0414  its table is this app's
from system.models import Job

NAME = RegexValidator(
    r"^[^/\x00-\x1f]+(/[^/\x00-\x1f]+)?\Z",
    "A preset's name may contain one folder at most, such as 'SDXL/LoRA 16GB', and no control characters.",
)


class PresetQuerySet(models.QuerySet["Preset"]):
    def listed(self) -> PresetQuerySet:
        """The presets that are offered for new runs, by name."""
        return self.filter(archived=False).order_by("name")


class Preset(models.Model):
    """A named partial config: only the fields that differ from the engine's defaults."""

    class Source(models.TextChoices):
        USER = "user", "made here"
        SHIPPED = "shipped", "ships with this site"
        ONETRAINER = "onetrainer", "OneTrainer's own"

    name = models.CharField(
        max_length=200, unique=True, validators=[NAME], help_text="At most one folder: SDXL/LoRA 16GB"
    )
    description = models.TextField(blank=True)
    config = models.JSONField(default=dict, help_text="The fields that differ from the engine's defaults.")
    version = models.PositiveIntegerField(default=0, editable=False)
    archived = models.BooleanField(default=False)
    source = models.CharField(max_length=10, choices=Source, default=Source.USER, editable=False)
    favourite_of = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="favourite_presets")
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

    @property
    def is_read_only(self) -> bool:
        """Whether the preset comes with a program: changes must be saved under another name."""
        return self.source != self.Source.USER

    @transaction.atomic
    def save_version(self, config: JsonObject, by: User | None = None, note: str = "") -> PresetVersion:
        """Make `config` the preset's content, as a new version; the row lock keeps the numbers unique."""
        if self.pk is None:
            self.save()
        locked = Preset.objects.select_for_update().get(pk=self.pk)
        self.config, self.version = config, locked.version + 1
        self.save(update_fields=["config", "version", "updated_at"])
        return self.versions.create(number=self.version, config=config, created_by=by, note=note)


class PresetVersion(models.Model):
    """An earlier content of a preset; never changed."""

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


class Draft(models.Model):
    """A config that a user is working on: for a new run (`preset` empty, `/api/config/current`), or of a preset.

    `revision` goes up with every change, also with undo and redo, so that a tab with an older revision is refused.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    preset = models.ForeignKey(Preset, null=True, blank=True, on_delete=models.CASCADE, related_name="drafts")
    engine = models.CharField(max_length=20, default="builtin")
    config = models.JSONField(default=dict, help_text="The fields that differ from the engine's defaults.")
    facts = models.JSONField(
        default=dict, help_text="The facts beside the config: name, tags and notes of the new run."
    )
    start = models.CharField(
        max_length=60, blank=True, help_text="What the draft was started from, such as preset:12 or run:<id>."
    )
    revision = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0, help_text="How many of its steps are applied; undo goes back.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "preset"], name="one_draft_per_user_and_preset"),
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(preset__isnull=True), name="one_new_run_draft_per_user"
            ),
        ]

    def __str__(self) -> str:
        return f"draft of {self.preset or 'a new run'} by {self.user}"


class DraftStep(models.Model):
    """One change of a draft, with the data to undo and redo it."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=200, help_text="The title of the step, as undo shows it.")
    changes = models.JSONField(help_text="A list of {field, before, after}; a side that lacks a field lacks the key.")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["draft", "number"], name="one_row_per_draft_step")]

    def __str__(self) -> str:
        return self.label


class PreflightManager(models.Manager["Preflight"]):
    def get_queryset(self) -> models.QuerySet[Preflight]:
        return super().get_queryset().filter(kind=Job.Kind.PREFLIGHT)

    def ask(self, user: User | None, engine: str, config: JsonObject, resume_from: str = "") -> Preflight:
        """Have a worker check this config, which is whole and frozen as a run's is, or compare it with a backup."""
        arguments = {"engine": engine, "config": config, "resume_from": resume_from}
        return self.create(kind=Job.Kind.PREFLIGHT, user=user, host=settings.HOST_NAME, arguments=arguments)


class Preflight(Job):
    """The job of checking a config on a worker's host: files, pictures, model, disk and memory.

    Its table is the jobs' own; what arguments and result hold has a name and a type here.
    """

    objects: ClassVar[PreflightManager] = PreflightManager()  # type: ignore[assignment]

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return f"preflight {self.pk} ({self.status})"

    @property
    def is_ended(self) -> bool:
        return not self.is_open

    @property
    def engine(self) -> str:
        return str(self.arguments["engine"])

    @property
    def config(self) -> JsonObject:
        return dict(self.arguments["config"])

    @property
    def resume_from(self) -> str:
        """The path of the backup whose data are compared; empty for the check of a start."""
        return str(self.arguments.get("resume_from", ""))

    @property
    def stage(self) -> str:
        """The name of the part that is being checked."""
        return str(self.result.get("stage", ""))

    @property
    def current(self) -> int:
        return int(self.result.get("current", 0))

    @property
    def total(self) -> int:
        return int(self.result.get("total", 0))

    @property
    def problems(self) -> list[dict[str, str]]:
        """Each with `field`, `message` and `severity`."""
        return list(self.result.get("problems", []))

    @property
    def estimate(self) -> JsonObject:
        """`memory` and `disk` in bytes, with their parts."""
        return dict(self.result.get("estimate", {}))

    @property
    def error(self) -> str:
        """Why the check itself failed; empty where it did not."""
        return self.detail if self.status == Job.Status.FAILED else ""


class ModelFetchQuerySet(models.QuerySet["ModelFetch"]):
    def open(self) -> ModelFetchQuerySet:
        return self.filter(status__in=Job.OPEN)

    def of(self, source: str, host: str) -> ModelFetchQuerySet:
        """The fetches of this name or address on this machine, the newest first."""
        return self.filter(arguments__source=source, host=host).order_by("-created_at")


class ModelFetchManager(models.Manager["ModelFetch"]):
    def get_queryset(self) -> ModelFetchQuerySet:
        return ModelFetchQuerySet(self.model, using=self._db).filter(kind=Job.Kind.FETCH)

    def open(self) -> ModelFetchQuerySet:
        return self.get_queryset().open()

    def of(self, source: str, host: str) -> ModelFetchQuerySet:
        return self.get_queryset().of(source, host)


class ModelFetch(Job):
    """The job of fetching a base model to a machine; its table is the jobs' own."""

    objects: ClassVar[ModelFetchManager] = ModelFetchManager()  # type: ignore[assignment]

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return f"fetch of {self.source} ({self.status})"

    @property
    def source(self) -> str:
        """The name on the hub, or the address."""
        return str(self.arguments["source"])

    @property
    def is_by_name(self) -> bool:
        return "://" not in self.source

    @property
    def sha256(self) -> str:
        """The hash that the user gave for an address; empty if none."""
        return str(self.arguments.get("sha256", ""))

    @property
    def cache_dir(self) -> str:
        """The hub's cache that a config names; empty for the machine's own."""
        return str(self.arguments.get("cache_dir", ""))

    @property
    def model(self) -> str:
        """What a config calls the model, once that is known."""
        return str(self.result.get("model", ""))

    @property
    def phase(self) -> str:
        """looking, fetching or checking."""
        return str(self.result.get("phase", ""))

    @property
    def bytes_done(self) -> int:
        return int(self.result.get("bytes", 0))

    @property
    def bytes_total(self) -> int:
        """0 while it is not known."""
        return int(self.result.get("total", 0))

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else None

    @property
    def bytes_per_second(self) -> int:
        return int(self.result.get("speed", 0)) if self.status == Job.Status.RUNNING else 0

    @property
    def seconds_left(self) -> float | None:
        speed, left = self.bytes_per_second, self.bytes_total - self.bytes_done
        return left / speed if speed and self.bytes_total and self.phase == "fetching" else None
