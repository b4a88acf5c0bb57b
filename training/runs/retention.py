"""Deleting a run's backups and saves by its retention policy."""

from __future__ import annotations

from django.utils.translation import gettext as _

from training.models import Artifact, RetentionPolicy, Run
from training.runs.removal import mark, remove_artifact, why_it_stays
from web.errors import NotNow

KIND_OF = {"backups": Artifact.Kind.BACKUP, "saves": Artifact.Kind.SAVE}


def verdicts(run: Run, policy: RetentionPolicy) -> list[tuple[Artifact, str]]:
    """Each existing artifact with the reason to keep it; empty if the policy deletes it."""
    found = []
    for name, kind in KIND_OF.items():
        made = list(run.artifacts.filter(kind=kind).select_related("run").order_by("attempt", "sequence"))
        split = policy.rule(name).split(made, lambda artifact: artifact.exists)
        found += [(artifact, why or why_it_stays(artifact)) for artifact, why in split]
    return found


def apply_policy(run: Run) -> int:
    """Delete the artifacts that the policy does not keep; return how many."""
    policy, gone = RetentionPolicy.of(run), 0
    for artifact in run.artifacts.filter(pinned=True, deleted_at=None).select_related("run"):
        mark(artifact)
    for artifact, why in verdicts(run, policy):
        if why:
            continue
        try:
            remove_artifact(artifact, _("Deleted by the retention policy, which keeps newer files."))
            gone += 1
        except NotNow:
            continue  # it was pinned at the same moment
    return gone
