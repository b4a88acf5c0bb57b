"""The rows of the audit log. Only `system.audit.log` writes them; triggers of the database refuse other changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn

from django.db import models

from system.audit.thing import canonical
from web.errors import DomainError

# In own_hash; a column that is added later must not be among them, or older entries would not fit any more.
HASHED = ("number", "at", "actor_id", "actor_name", "address", "means", "action", "kind", "thing_id", "thing_name")
HASHED_TEXTS = ("before", "after", "previous")
START = "0" * 64  # what the first entry has as the hash before it


class AppendOnly(DomainError):
    """The audit log is append-only: its entries are neither changed nor deleted."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **changes: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def cut_off(self, last: int) -> int:
        """Delete the entries up to `last`, which the head must name as cut off; return how many."""
        return int(self.filter(number__lte=last)._raw_delete(self.db))  # type: ignore[attr-defined]


class AuditEntry(models.Model):
    """One act. Actor and thing are texts, not references, so that the entry survives both."""

    number = models.PositiveBigIntegerField(primary_key=True, help_text="1, 2, 3, ... without gaps.")
    at = models.DateTimeField(db_index=True)
    actor_id = models.CharField(max_length=40, blank=True, db_index=True)
    actor_name = models.CharField("person", max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="The client's; empty for the terminal and workers.")
    means = models.CharField(max_length=100, blank=True, help_text="session, token, terminal or the like")
    action = models.CharField(max_length=80, db_index=True)
    kind = models.CharField(max_length=80, blank=True)
    thing_id = models.CharField(max_length=100, blank=True, db_index=True)
    thing_name = models.CharField(max_length=300, blank=True)
    before = models.TextField(blank=True, help_text="JSON")
    after = models.TextField(blank=True, help_text="JSON")
    previous = models.CharField(max_length=64, help_text="The hash of the entry before it.")
    hash = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        app_label = "system"
        ordering = ["-number"]
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.number}: {self.action} by {self.actor_name or 'nobody'}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def own_hash(self) -> str:
        """SHA-256 over the canonical JSON of all other columns, with the hash of the entry before."""
        values = {name: getattr(self, name) for name in (*HASHED, *HASHED_TEXTS)} | {"at": self.at.isoformat()}
        return hashlib.sha256(canonical(values).encode()).hexdigest()

    @property
    def before_value(self) -> Any:
        return json.loads(self.before) if self.before else None

    @property
    def after_value(self) -> Any:
        return json.loads(self.after) if self.after else None


class AuditHead(models.Model):
    """The end of the chain, and where its beginning was cut off: one row, kept apart from the entries.

    `seal` is a MAC of the other columns under a key derived from SECRET_KEY: who can only write to the database cannot
    change entries and head together without being seen.
    """

    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=START)
    cut_number = models.PositiveBigIntegerField(default=0, help_text="The last entry that was cut off.")
    cut_hash = models.CharField(max_length=64, default=START)
    seal = models.CharField(max_length=64, blank=True)

    class Meta:
        app_label = "system"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.number} entries, {self.cut_number} of them cut off"
