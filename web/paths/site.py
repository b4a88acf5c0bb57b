"""The site's policy: the folders that are open by the settings and by an admin, and sentences for refused paths.

Every path from a person, a config, an import or an API call is judged here, by `engine.paths`, which resolves it first.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext as _

from engine.interface import pickles
from engine.paths import door
from engine.paths.policy import READS, Judged, Policy, Purpose, Refused, Root, Why
from web.models import AllowedFolder

OF_RUNS = frozenset({Purpose.LOAD_MODEL, Purpose.READ_PICTURES, Purpose.LIST})
ATTEMPTS = "*/attempts"  # specs, journals, logs and the key of a control channel
OPEN_IN_DATA = ("models", "datasets")


class SitePolicy(Policy):
    """Looks up the folders that an admin added only if the settings do not open the path."""

    def judge_real(self, real: str, purpose: Purpose, given: str = "") -> Judged:
        try:
            return super().judge_real(real, purpose, given)
        except Refused as refused:
            if refused.why is not Why.OUTSIDE:
                raise
        return self.whole.judge_real(real, purpose, given)

    @functools.cached_property
    def whole(self) -> Policy:
        """With the folders that an admin added, as it is handed to an engine."""
        added = (Root(os.path.realpath(path)) for path in AllowedFolder.objects.values_list("path", flat=True))
        roots = tuple(root for root in added if not is_within(root.path, _data()))
        return Policy((*self.roots, *roots), self.allows_pickles, self.hub_owners)


def policy() -> SitePolicy:
    """What is open now."""
    return SitePolicy(_roots(), pickles.are_allowed(), tuple(settings.HUB_OWNERS))


def _roots() -> tuple[Root, ...]:
    """The data folder is the site's own but for a few folders, whatever else is open."""
    data = _data()
    named = (Root(os.path.realpath(root)) for root in settings.ALLOWED_ROOTS)
    return (
        Root(data, frozenset()),
        *(Root(os.path.join(data, name)) for name in OPEN_IN_DATA),
        Root(os.path.join(data, "datasets"), frozenset({Purpose.SEND}), hidden=True),  # its own hidden folders
        Root(os.path.join(data, "datasets", ".captions"), frozenset({Purpose.READ_TEXT})),  # which the wizard writes
        Root(os.path.join(data, "runs"), OF_RUNS, (ATTEMPTS,)),
        Root(os.path.join(data, "runs"), frozenset({Purpose.SEND}), hidden=True),
        Root(os.path.realpath(settings.DEMO_DIR), READS),
        *(root for root in named if not is_within(root.path, data)),
    )


def open_folders() -> list[Path]:
    """The folders that the settings and admins have opened, beside the data folder's own."""
    return [*settings.ALLOWED_ROOTS, *map(Path, AllowedFolder.objects.values_list("path", flat=True))]


def _data() -> str:
    return os.path.realpath(settings.DATA_DIR)


def is_within(path: str, folder: str) -> bool:
    return Root(folder).holds(path)


def judge(path: str, purpose: Purpose, base: Path | None = None) -> Judged:
    """Where the path leads, relative to `base` or else to the project. Raises Refused."""
    return policy().judge(path, purpose, str(base or settings.BASE_DIR))


def refusal(path: str, purpose: Purpose, base: Path | None = None) -> str | None:
    """The reason why `path` is not allowed for this purpose, as a sentence, or None if it is allowed."""
    try:
        judge(path, purpose, base)
    except Refused as refused:
        return sentence(refused)
    return None


def opened(path: str | Path, purpose: Purpose) -> BinaryIO:
    """The regular file, judged and opened in one step. Raises Refused and OSError."""
    return door.open_file(policy(), str(path), purpose)


def sentence(refused: Refused) -> str:
    """The refusal in the reader's language."""
    named = ", ".join(map(str, [*open_folders(), settings.DATA_DIR / "datasets"]))
    sentences = {
        Why.NUL: _("A path cannot contain NUL characters."),
        Why.CHARACTERS: _("This path has characters that are not possible in a file name: choose another."),
        Why.UNUSABLE: _("%(path)s is not a usable path: choose another."),
        Why.OUTSIDE: _(
            "%(path)s is outside the allowed folders (%(named)s): move it there, or ask an admin to add its folder on "
            "the system page or to ALLOWED_ROOTS."
        ),
        Why.HIDDEN: _(
            "%(path)s is hidden, or in a hidden folder: move it, or ask an admin to name its folder in ALLOWED_ROOTS."
        ),
        Why.CLOSED: _("%(path)s belongs to the site itself: use %(models)s or %(datasets)s."),
        Why.CHANGED: _("%(path)s leads elsewhere than when it was checked: start again."),
        Why.TAKEN: _("%(path)s exists, and is no earlier model of this site: choose another name."),
        Why.KIND: _("%(path)s is not a file: choose another."),
    }
    own = {"models": settings.DATA_DIR / "models", "datasets": settings.DATA_DIR / "datasets"}
    shown = refused.path.encode(errors="replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return sentences[refused.why] % {"path": shown, "named": named, **own}
