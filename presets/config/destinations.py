"""Where a run may write: a relative path stays in the run's own folder, and nothing of others is replaced or moved."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.interface.files import PARTIAL
from engine.paths.policy import ALL, Judged, Policy, Purpose, Refused, Root, Why, is_absolute
from web.paths import earlier_models
from web.paths.site import policy, sentence

OWN = ("attempts", "workspace")  # folders of a run that only the site writes
NEW_RUN = "new"  # the name of a run's folder that does not exist yet


def run_policy(folder: Path, of_site: Policy | None = None) -> Policy:
    """What a run may use: what the site allows, and its own folder."""
    own = Root(os.path.realpath(folder), ALL, OWN)
    return (of_site or policy()).with_roots([own])


def judge_destination(text: str, folder: Path, purpose: Purpose = Purpose.WRITE_MODEL) -> Judged:
    """Where the run in this folder writes. Raises Refused: also if a relative path leaves the folder."""
    judged = run_policy(folder).judge(text, purpose, os.path.realpath(folder))
    is_own = judged.root.path == os.path.realpath(folder)
    if not is_own and not is_absolute(text):
        raise Refused(Why.OUTSIDE, text)
    if not judged.parts:
        raise Refused(Why.KIND, text)
    return judged


def destination_refusal(text: str, look: bool = True) -> str | None:
    """Why a new run may not write its model there, as a sentence; `look` also at the present files."""
    try:
        judged = judge_destination(text, new_run())
    except Refused as refused:
        return _sentence(refused, text)
    return taken(judged.real) if look else None


def folder_refusal(text: str) -> str | None:
    """Why a new run may not write into this folder, as a sentence."""
    try:
        judge_destination(text, new_run(), Purpose.WRITE_FOLDER)
    except Refused as refused:
        return _sentence(refused, text)
    return None


def taken(real: str) -> str | None:
    """A sentence if somebody else's file or folder is there, which no run may replace or move."""
    if os.path.lexists(real) and not earlier_models.has(Path(real)):
        return _("%(path)s exists, and is no earlier model of this site: choose another name.") % {"path": real[:200]}
    if os.path.lexists(real + PARTIAL) and not earlier_models.has(Path(real)):
        return _("%(path)s exists: choose another name, or remove it.") % {"path": real[:200] + PARTIAL}
    return None


def new_run() -> Path:
    return settings.DATA_DIR / "runs" / NEW_RUN


def _sentence(refused: Refused, text: str) -> str:
    if refused.why is Why.OUTSIDE and not is_absolute(text):
        return _("%(path)s leads out of the run's own folder: write a path without .. in it.") % {"path": text[:200]}
    if refused.why is Why.KIND:
        return _("This names a folder that exists: add the model's name to it.")
    return sentence(refused)
