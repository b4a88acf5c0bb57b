"""Rows for tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.utils.timezone import now

from presets.config.configs import full_config
from presets.models import Preflight, Preset
from system.account import tokens
from system.models import Job, Worker
from training.models import Run, RunProgress

PROGRESS = {field.name for field in RunProgress._meta.fields} - {"run"}
PREFLIGHT_RESULT = ("problems", "estimate", "stage", "current", "total")


def make_user(name: str = "ada", permissions: tuple[str, ...] = (), **fields: Any) -> User:
    """A user with the permissions of these codenames, for example `view_run`."""
    user = User.objects.create_user(name, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def make_token(user: User, scope: str = "admin", **wish: Any) -> str:
    """The text of a new API token of the user."""
    name = wish.pop("name", None) or tokens.free_name(user, tokens.DEFAULT_NAME)
    return tokens.new_token(user, tokens.Wish(name, scope, **wish))[1]


def make_preset(name: str = "SD 1.5/LoRA", config: dict[str, Any] | None = None, **fields: Any) -> Preset:
    """A preset with one version."""
    preset = Preset(name=name, **fields)
    preset.save_version({"batch_size": 2} if config is None else config)
    return preset


def trainable_config(**changes: Any) -> dict[str, Any]:
    """A full config that passes the checks, with an existing data set."""
    folder = settings.DATA_DIR / "datasets" / "stars"
    folder.mkdir(parents=True, exist_ok=True)
    return full_config("builtin", {"concepts": [{"name": "stars", "path": str(folder)}]}, changes)


def make_living_worker(name: str = "here:cpu", **fields: Any) -> Worker:
    """A worker that counts as alive for the next minute, even on a slow machine."""
    return Worker.objects.create(name=name, **{"host": "here", "heartbeat_at": now() + timedelta(seconds=55)} | fields)


def make_preflight(user: User | None = None, status: str = "done", **facts: Any) -> Preflight:
    """A preflight in this status; `problems`, `estimate`, `stage`, `current` and `total` are its result so far."""
    found = {name: facts.pop(name) for name in PREFLIGHT_RESULT if name in facts}
    config = {"engine": "builtin", "config": facts.pop("config", {})}
    kind = Job.Kind.PREFLIGHT
    return Preflight.objects.create(kind=kind, user=user, status=status, arguments=config, result=found, **facts)


def make_run(name: str = "Stars", status: str = Run.Status.QUEUED, **fields: Any) -> Run:
    """A run in this status; a started run has an attempt and a start time."""
    if status not in (Run.Status.QUEUED, Run.Status.CANCELLED):
        fields = {"attempt": 1, "started_at": now()} | fields
    if status in Run.ENDED:
        fields = {"ended_at": now()} | fields
    progress = {name: fields.pop(name) for name in PROGRESS.intersection(fields)}
    if progress.get("max_step") and "epoch" not in progress:
        progress["epoch"], progress["epoch_step"] = divmod(progress.get("global_step", 0), progress["max_step"])
    run = Run.objects.create(name=name, status=status, **{"config": trainable_config()} | fields)
    if progress:
        run.progress.write(**progress)
    return run
