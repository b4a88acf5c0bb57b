"""Why a run's engine would refuse a command now, in the user's language: engines do not translate."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.engines import UnknownEngine, get_engine
from training.models import Run

# The engines' sentences, for the translation catalogs; a test compares them with `engine.onetrainer.limits`.
SENTENCES = (
    gettext_noop("The run is paused: continue it first."),
    gettext_noop("A training on several GPUs cannot be paused: stop it, and resume from its backup."),
)


def refusal(run: Run, kind: str) -> str:
    """A sentence, or empty if the engine would take the command."""
    try:
        engine = get_engine(run.engine)
    except UnknownEngine as error:
        return str(error)
    if kind not in engine.capabilities:
        return _("The engine %(title)s does not support this command.") % {"title": engine.title}
    reason = engine.why_not(kind, run.config, run.status == Run.Status.PAUSED)
    return _(reason) if reason else ""
