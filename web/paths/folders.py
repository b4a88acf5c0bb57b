"""The folders that admins open: no system folder, no hidden folder, no home folder as a whole."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from engine.paths.policy import Refused, real_path
from web.errors import BadInput
from web.models import AllowedFolder
from web.paths.site import is_within, sentence

SYSTEM = (
    *("/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/root"),
    *("/run", "/sbin", "/snap", "/sys", "/usr", "/var"),
)
WHOLE = ("/", "/home", "/media", "/mnt", "/opt", "/srv", "/tmp")  # nosec B108  these hold files of others
MOST = 50
LONGEST = 1000  # characters, in the database


def add(path: str, by: User) -> AllowedFolder:
    """Open a folder for configs. Raises BadInput with a sentence."""
    real = _checked(path.strip())
    if AllowedFolder.objects.count() >= MOST:
        raise _bad(_("There are %(most)s folders already: remove one, or use ALLOWED_ROOTS.") % {"most": MOST})
    folder, is_new = AllowedFolder.objects.get_or_create(path=real, defaults={"added_by": by})
    if not is_new:
        raise _bad(_("%(path)s is open already.") % {"path": real})
    return folder


def _checked(path: str) -> str:
    if not path.startswith(("/", "~")):
        raise _bad(_("Enter the whole path of a folder on the server, such as /data/pictures."))
    try:
        real = real_path(path)
    except Refused as refused:
        raise _bad(sentence(refused)) from refused
    if why := why_not(real):
        raise _bad(why)
    if not os.path.isdir(real):
        raise _bad(_("%(path)s is not a folder on this machine: check the path.") % {"path": real[:200]})
    if len(real) > LONGEST:
        raise _bad(_("This path is too long: use ALLOWED_ROOTS."))
    return real


def why_not(real: str) -> str:
    """Why the site does not open this folder, in a sentence; empty if it may be opened. `real` has no links."""
    home = os.path.realpath(Path.home())
    if any(part.startswith(".") for part in real.split("/")):
        return _("%(path)s is hidden: if it should be open, name it in ALLOWED_ROOTS.") % {"path": real}
    if real in WHOLE or os.path.dirname(real) == "/home" or is_within(home, real):
        return _("%(path)s as a whole would open too much: choose a folder in it.") % {"path": real}
    if any(is_within(real, folder) for folder in SYSTEM) and not is_within(real, home):
        return _("%(path)s belongs to the system: choose a folder with pictures or models.") % {"path": real}
    for own in (settings.DATA_DIR, settings.BASE_DIR):
        whole = os.path.realpath(own)
        if is_within(real, whole) or is_within(whole, real):
            return _("%(path)s holds the site itself, or is a part of it: choose another folder.") % {"path": real}
    return ""


def _bad(text: str) -> BadInput:
    return BadInput(text, {"path": [text]})
