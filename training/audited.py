"""Entries of the audit log about runs: a person's events and commands, deletions, and the policy of retention."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save

from system.audit import record
from system.audit.watching import watch
from training.models import RetentionPolicy, Run, RunCommand, RunEvent

POLICY = tuple(field.attname for field in RetentionPolicy._meta.concrete_fields if field.attname != "id")


def connect() -> None:
    """Once, when the apps are ready."""
    post_save.connect(_event, RunEvent, dispatch_uid="audit events")
    post_save.connect(_command, RunCommand, dispatch_uid="audit commands")
    post_delete.connect(_deleted, Run, dispatch_uid="audit runs")
    watch(RetentionPolicy, "policy", *POLICY)


def _event(sender: Any, instance: RunEvent, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Events without a person are the training's own; the run's timeline has them."""
    if created and not raw and instance.user is not None:
        record(f"run.{instance.kind}", actor=instance.user, thing=instance.run, after=instance.data)


def _deleted(sender: Any, instance: Run, **kwargs: Any) -> None:
    """Its start and its changes are events."""
    owner = instance.owner.username if instance.owner else ""
    facts = {"name": instance.name, "status": instance.status, "engine": instance.engine, "owner": owner}
    record("run.deleted", thing=instance, before=facts | {"created_at": instance.created_at})


def _command(sender: Any, instance: RunCommand, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if created and not raw and instance.requested_by is not None:
        facts = {"command": instance.kind, "arguments": instance.arguments}
        record("run.command", actor=instance.requested_by, thing=instance.run, after=facts)
