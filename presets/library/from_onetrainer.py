"""The presets that come with OneTrainer, listed as read-only presets if a checkout is configured."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from presets.config import configs
from presets.library import exchange
from presets.models import Preset
from web.errors import BadInput

logger = logging.getLogger(__name__)
PREFIX = "OneTrainer"
LOOK_SECONDS = 5.0  # the checkout's folder is read at most this often
_known: dict[str, float | str] = {"looked": -LOOK_SECONDS, "fingerprint": "?"}


def folder() -> Path | None:
    """The checkout's folder of presets; None if no checkout is configured."""
    home = settings.ONETRAINER_HOME
    return Path(home) / "training_presets" if home else None


def sync(now: bool = False) -> None:
    """Import the checkout's presets if they changed since the last look, and archive presets that are gone."""
    if not now and time.monotonic() - float(_known["looked"]) < LOOK_SECONDS:
        return
    _known["looked"] = time.monotonic()
    files = _files()
    fingerprint = _fingerprint(files)
    if fingerprint == _known["fingerprint"] and not now:
        return
    names = {_take(path) for path in files}
    own = Preset.objects.filter(source=Preset.Source.ONETRAINER, archived=False)
    own.exclude(name__in=[name for name in names if name]).update(archived=True)
    _known["fingerprint"] = fingerprint


def _files() -> list[Path]:
    where = folder()
    if where is None or not where.is_dir():
        return []
    return sorted(path for path in where.glob("**/#*.json") if path.name != "#.json" and path.is_file())


def _fingerprint(files: list[Path]) -> str:
    facts = [f"{path}{stat.st_mtime_ns}{stat.st_size}" for path in files for stat in [path.stat()]]
    return hashlib.sha256("".join(facts).encode()).hexdigest()


@transaction.atomic
def _take(path: Path) -> str:
    """Save a file as a preset, or as a new version of its preset; returns the name, empty for an unusable file."""
    family = path.parent.name if path.parent != folder() else ""
    name = f"{PREFIX} {family}".strip() + f"/{path.stem.removeprefix('#').strip()}"
    try:
        (uploaded,) = exchange.from_file(path.name, path.read_bytes())
    except (BadInput, OSError) as error:
        logger.warning("OneTrainer's preset %s is left out: %s", path, error)
        return ""
    config = configs.difference(uploaded.config, configs.defaults())
    facts = {"source": Preset.Source.ONETRAINER, "description": _("Comes with OneTrainer.")}
    preset, created = Preset.objects.get_or_create(name=name, defaults=facts)
    if preset.source != Preset.Source.ONETRAINER:
        return ""  # a user's own preset has the name, and keeps it
    if preset.archived:
        Preset.objects.filter(pk=preset.pk).update(archived=False)
    if created or preset.config != config:
        preset.save_version(config, note="from the OneTrainer checkout")
    return name
