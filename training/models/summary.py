"""The searchable summary of each run for the table of runs, and the users' saved views of that table."""

from __future__ import annotations

import uuid
from typing import Protocol

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config.configs import leaves

MOST_WORDS = 100_000  # characters


class Described(Protocol):
    """The part of a run that its summary is made of."""

    @property
    def pk(self) -> uuid.UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def notes(self) -> str: ...
    @property
    def tags(self) -> list[str]: ...
    @property
    def engine(self) -> str: ...
    @property
    def config(self) -> JsonObject: ...


class RunSummaryQuerySet(models.QuerySet["RunSummary"]):
    def describe(self, *runs: Described) -> None:
        """Store the current names, settings and notes of the runs."""
        rows = [RunSummary(run_id=run.pk, **describe(run)) for run in runs]
        self.bulk_create(
            rows,  # type: ignore[arg-type]
            update_conflicts=True,
            unique_fields=["run"],
            update_fields=[*DESCRIBED],
        )


class RunSummary(models.Model):
    """A row of its own, so that updates of a run do not rewrite the long words."""

    run = models.OneToOneField("training.Run", primary_key=True, on_delete=models.CASCADE, related_name="summary")
    model_type = models.CharField(max_length=60, blank=True)
    training_method = models.CharField(max_length=60, blank=True)
    tags = models.JSONField(default=list)
    loss_line = models.JSONField(default=list, help_text="The mean loss in each of several intervals of equal length.")
    words = models.TextField(blank=True, help_text="Name, notes, tags and config, in lower case.")

    objects = RunSummaryQuerySet.as_manager()

    def __str__(self) -> str:
        return f"summary of {self.run_id}"


DESCRIBED = ("model_type", "training_method", "tags", "words")


class SavedView(models.Model):
    """A name for filters and an order of the table of runs."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True, help_text="As in the table's address.")
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_view_per_user_and_name")]

    def __str__(self) -> str:
        return self.name


def describe(run: Described) -> JsonObject:
    """A run's summary without its loss, by field."""
    config = run.config if isinstance(run.config, dict) else {}
    return {
        "model_type": str(keys_of(config).get("model_type") or "")[:60],
        "training_method": str(keys_of(config).get("training_method") or "")[:60],
        "tags": run.tags,
        "words": words_of(run, config),
    }


def words_of(run: Described, config: JsonObject) -> str:
    """Lines to search in: a tag is #tag on its own line, a setting is path=value."""
    settings = (f"{path}={value}" for path, value in leaves(without_secrets(config)) if value not in (None, "", [], {}))
    lines = [run.name, *run.notes.splitlines(), *(f"#{tag}" for tag in run.tags), str(run.pk), run.engine, *settings]
    return ("\n".join(["", *lines])[: MOST_WORDS - 1] + "\n").lower()
