"""Which files and folders may be named: in configs, in addresses and in forms."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

OPEN_IN_DATA = ("models", "datasets")
READABLE_IN_DATA = (*OPEN_IN_DATA, "runs")


def refusal(path: str, write: bool = False) -> str | None:
    """Why `path` may not be named, as a sentence, or None where it may.

    Of the data folder only models and datasets (and, to read, runs) are open: the rest is the site's own. Links
    are followed first, so that none leads out.
    """
    if "\x00" in path:
        return _("A path holds no NUL characters.")
    try:
        real = Path(path).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        return _("%(path)s is no usable path (%(error)s): name another.") % {"path": path[:200], "error": error}
    except UnicodeEncodeError:
        return _("This path has characters that no file name holds: name another.")
    if real.is_relative_to(settings.DATA_DIR.resolve()):
        return _refusal_in_data(real, write)
    roots = [*settings.ALLOWED_ROOTS, *([] if write else [settings.DEMO_DIR])]
    if any(real.is_relative_to(root.resolve()) for root in roots):
        return None
    named = ", ".join(str(root) for root in [*settings.ALLOWED_ROOTS, settings.DATA_DIR / "datasets"])
    return _("%(path)s lies outside the allowed folders (%(named)s): move it there, or extend ALLOWED_ROOTS.") % {
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
