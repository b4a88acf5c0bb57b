"""The files and folders that are allowed in configs, addresses and forms."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

OPEN_IN_DATA = ("models", "datasets")
READABLE_IN_DATA = (*OPEN_IN_DATA, "runs")


def refusal(path: str, write: bool = False) -> str | None:
    """The reason why `path` is not allowed, as a sentence, or None if it is allowed.

    Of the data folder only models and datasets (and, to read, runs) are allowed: the rest is the site's own. Links
    are resolved first, so that none leads outside.
    """
    if "\x00" in path:
        return _("A path cannot contain NUL characters.")
    try:
        real = Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        return _("%(path)s is not a usable path (%(error)s): choose another.") % {"path": path[:200], "error": error}
    except UnicodeEncodeError:
        return _("This path has characters that are not possible in a file name: choose another.")
    if real.is_relative_to(settings.DATA_DIR.resolve()):
        return _refusal_in_data(real, write)
    roots = [*settings.ALLOWED_ROOTS, *([] if write else [settings.DEMO_DIR])]
    if any(real.is_relative_to(root.resolve()) for root in roots):
        return None
    named = ", ".join(str(root) for root in [*settings.ALLOWED_ROOTS, settings.DATA_DIR / "datasets"])
    return _("%(path)s is outside the allowed folders (%(named)s): move it there, or extend ALLOWED_ROOTS.") % {
        "path": path[:200],
        "named": named,
    }


def _refusal_in_data(real: Path, write: bool) -> str | None:
    open_folders = OPEN_IN_DATA if write else READABLE_IN_DATA
    if any(real.is_relative_to(settings.DATA_DIR.resolve() / name) for name in open_folders):
        return None
    return _("%(real)s belongs to the site itself: use %(data_dir)s or %(data_dir2)s.") % {
        "real": real,
        "data_dir": settings.DATA_DIR / "models",
        "data_dir2": settings.DATA_DIR / "datasets",
    }
