"""The first start: an admin account, presets, and a demo run."""

from __future__ import annotations

import itertools

from django.contrib.auth.models import User
from django.db import transaction

from operations.serve.default_presets import DEMO, PRESETS, demo_config
from presets.models import Preset
from system.models import Milestone
from training.runs.service import TrainerService
from web.errors import DomainError

ADMIN = "admin"
DEMO_RUN = "Demo: stars"


def admin_account() -> User:
    """The oldest active admin; created without a password if there is none."""
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return found or User.objects.create_superuser(_free_name())  # no password given: an unusable one


def _free_name() -> str:
    names = itertools.chain([ADMIN], (f"{ADMIN}{number}" for number in itertools.count(2)))
    return next(name for name in names if not User.objects.filter(username=name).exists())


@transaction.atomic
def first_start(admin: User, with_demo: bool = True) -> list[str]:
    """Create presets and queue the demo run, only the first time; return sentences about it."""
    if not Milestone.reach("first start"):
        ship_presets()
        return []
    made = [f"made {ship_presets()} presets"]
    return [*made, _queue_demo(admin)] if with_demo else made


def _queue_demo(admin: User) -> str:
    """Queue the demo run from its preset; return a sentence, also if the demo's files are missing."""
    try:
        with transaction.atomic():
            TrainerService(admin).start_training(preset=DEMO, name=DEMO_RUN)
    except DomainError as error:
        return f"the demo run was not queued: {error}"
    return f"queued the run “{DEMO_RUN}”"


def ship_presets() -> int:
    """Update the presets that ship with the site; return how many are new or changed.

    Users' presets keep their names and contents: a shipped preset with the name of a user's preset is skipped.
    """
    presets = {**PRESETS, DEMO: ("Trains the tiny model that comes with the site to generate stars.", demo_config())}
    shipped = Preset.objects.filter(source=Preset.Source.SHIPPED)
    shipped.exclude(name__in=presets).update(archived=True)
    return sum(_ship(name, description, config) for name, (description, config) in presets.items())


def _ship(name: str, description: str, config: dict) -> bool:
    facts = {"source": Preset.Source.SHIPPED, "description": description}
    preset, made = Preset.objects.get_or_create(name=name, defaults=facts)
    if preset.source != Preset.Source.SHIPPED or (not made and preset.config == config):
        return False
    Preset.objects.filter(pk=preset.pk).update(description=description)
    preset.save_version(config, note="ships with the site")
    return True
