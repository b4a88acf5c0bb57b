"""The warning that pages show when the disk fills up."""

from __future__ import annotations

import functools
import shutil
import time
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.interface.free_space import in_words, needed
from engine.interface.json_types import JsonObject
from system.models import Worker
from training.models import Artifact, Run

SOON_HOURS = 24
NOTICE_SECONDS = 5


@dataclass(frozen=True)
class Notice:
    """The warning about the disk; `is_full` if writes fail now or will fail soon."""

    sentences: list[str]
    is_full: bool

    @property
    def kind(self) -> str:
        """A word that changes when the warning becomes another one, though not with each megabyte."""
        return f"{'full' if self.is_full else 'low'}-{len(self.sentences)}"


def notice() -> Notice | None:
    """The present warning, if any; read anew every few seconds."""
    return _notice(int(time.monotonic() // NOTICE_SECONDS), str(settings.DATA_DIR), settings.DISK_LOW_BYTES)


@functools.lru_cache(maxsize=1)
def _notice(moment: int, folder: str, low: int) -> Notice | None:
    disk = shutil.disk_usage(folder)
    disks = [(_("the data folder"), {"free": disk.free, "shrinks_by": 0})]
    for worker in Worker.objects.alive():
        if facts := worker.resources.get("disk"):
            disks.append((worker.host, facts))
    sentences = _about_room(disks, low) + _about_runs(min(facts["free"] for name, facts in disks))
    return Notice(sentences, disk.free < needed(0)) if sentences else None


def _about_room(disks: list[tuple[str, JsonObject]], low: int) -> list[str]:
    name, facts = min(disks, key=lambda pair: pair[1]["free"])
    # While nothing trains, another program fills the disk: that is not this site's to warn of, until little is left.
    fastest = max(pair[1]["shrinks_by"] for pair in disks) if Run.objects.active().exists() else 0
    hours = facts["free"] / fastest if fastest else None
    is_soon = hours is not None and hours < SOON_HOURS
    if facts["free"] >= low and not is_soon:
        return []
    sentence = _("%(free)s free on the disk of %(name)s.") % {"free": in_words(facts["free"]), "name": name}
    if facts["free"] < needed(0):
        sentence = _("The disk of %(name)s is full.") % {"name": name}
    elif hours is not None and is_soon:
        about = max(1, round(hours))
        sentence += " " + ngettext(
            "At the current rate it will be full in about %(hours)s hour.",
            "At the current rate it will be full in about %(hours)s hours.",
            about,
        ) % {"hours": about}
    return [sentence]


def _about_runs(free: int) -> list[str]:
    """A sentence for each active run whose next backup, if as large as its last, would not fit."""
    runs = Run.objects.active().filter(artifacts__kind=Artifact.Kind.BACKUP, artifacts__deleted_at=None)
    sizes = runs.order_by().values_list("name").annotate(size=Max("artifacts__size"))
    sentence = _("The next backup of “%(name)s” needs %(size)s and would be left out.")
    return [sentence % {"name": name, "size": in_words(needed(size))} for name, size in sizes if needed(size) > free]
