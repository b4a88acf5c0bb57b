"""The space that uploads may take, and their limits, said before anything is sent."""

from __future__ import annotations

import shutil

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.reading.formats import SUFFIXES
from engine.interface.json_types import JsonObject
from presets.datasets.kinds import MOST_ARCHIVE_BYTES, MOST_PICTURE_BYTES, TEXTS
from web.errors import DomainError

RESERVE = 500_000_000  # bytes that stay free for the database and running trainings


class NoSpace(DomainError):
    """The disk of the data folder has no space for this file: free some space, or send less."""

    status = 507


def free_bytes() -> int:
    """Bytes that uploads may still take."""
    return max(0, shutil.disk_usage(settings.DATA_DIR).free - RESERVE)


def check_space(size: int) -> None:
    """Raise NoSpace unless the disk has space for `size` more bytes."""
    if size > free_bytes():
        raise NoSpace(
            _("The disk has %(free)s MB free for uploads, and this has %(size)s MB: free some space, or send less.")
            % {"free": f"{free_bytes() / 1e6:,.0f}", "size": f"{size / 1e6:,.0f}"}
        )


def limits() -> JsonObject:
    return {
        "pictures": sorted(SUFFIXES),
        "texts": [*TEXTS],
        "most_picture_bytes": MOST_PICTURE_BYTES,
        "most_archive_bytes": MOST_ARCHIVE_BYTES,
        "free_bytes": free_bytes(),
    }
