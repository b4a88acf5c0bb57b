"""Why a run ended: the closed list of reasons, each with what a person reads and can do.

The engines say reasons in their journal's `failed` event, the worker adds what only it can know. Everybody shows them
from here: pages, admin and API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Ending:
    """`cure` says what to do about it; `may_retry` whether a run goes on by itself after it.

    Where the same would only come again, trying again is a waste of hours.
    """

    title: Any
    cure: Any
    may_retry: bool = False
    most_retries: int | None = None  # without progress between them; None for as many as the run's policy has


CONTINUE = _("Continue it from its newest backup, or start it again if it has none.")
NO_CURE_NEEDED = _("Continue it from its newest backup, or start a new run from its weights.")
ENDINGS: dict[str, Ending] = {
    # a person or the site wanted it
    "stopped": Ending(_("Stopped"), NO_CURE_NEEDED),
    "shutdown": Ending(_("Stopped with the server"), NO_CURE_NEEDED),
    "signal": Ending(_("Asked to end from outside"), NO_CURE_NEEDED),
    "stop_forced": Ending(
        _("Killed, as it did not stop"),
        _("Continue it from its newest backup; what it did since then is lost."),
    ),
    "stop_now": Ending(
        _("Stopped at once"),
        _("Continue it from its newest backup; what it did since then is lost."),
    ),
    # something took it away
    "killed": Ending(
        _("Killed from outside"),
        _("Look on the machine for what ends processes; then continue it from its newest backup, or start it again."),
        may_retry=True,
    ),
    "killed_for_memory": Ending(
        _("The machine ran out of memory"),
        _("Keep less in main memory (fewer data loader threads, caching on disk), or end what else runs there."),
        may_retry=True,
    ),
    "restarted": Ending(
        _("The machine was restarted"),
        CONTINUE,
        may_retry=True,
    ),
    "lost_worker": Ending(
        _("Lost worker"),
        _("Start its worker again: it takes the run on where it is. Or continue the run from a backup elsewhere."),
    ),
    "lost_host": Ending(
        _("Its machine is gone"),
        CONTINUE,
        may_retry=True,
    ),
    "interrupted": Ending(
        _("Ended without a word"),
        _("Read the end of its log, then continue it from its newest backup, or start it again if it has none."),
        may_retry=True,
    ),
    "crash": Ending(
        _("The trainer crashed"),
        _("Read the traceback and the end of the log; continue it from its newest backup once the cause is mended."),
        may_retry=True,
        most_retries=1,
    ),
    # it would come again
    "out_of_memory": Ending(
        _("Out of GPU memory"),
        _("Change the settings that it names in a copy of this run, or end what else uses the GPU."),
    ),
    "out_of_main_memory": Ending(
        _("Out of main memory"),
        _("Change the settings that it names in a copy of this run, or end what else runs on the machine."),
    ),
    "nan": Ending(
        _("The training broke down"),
        _("Start a copy of this run with a lower learning rate, from the weights of a backup before that step."),
    ),
    "bad_config": Ending(_("A setting is wrong"), _("Correct it in a copy of this run.")),
    "bad_data": Ending(
        _("The training data cannot be used"), _("Mend or remove what it names, then start the run again.")
    ),
    "missing_model": Ending(
        _("The base model cannot be used"), _("Put the model there or name another, then start the run again.")
    ),
    "bad_backup": Ending(
        _("The backup is damaged"), _("Continue it from an older backup."), may_retry=True
    ),
    "disk_full": Ending(
        _("The disk is full"), _("Make room on the disk, then continue it from its newest backup.")
    ),
    "not_written": Ending(
        _("A file was not written whole"), _("Look whether its disk is sound, then continue it from its newest backup.")
    ),
    "not_started": Ending(
        _("It could not be started"), _("Mend what it names, then start the run again.")
    ),
    "failed": Ending(_("It failed"), _("Mend what it names, then start the run again.")),
}  # fmt: skip


def known_reason(reason: Any) -> str:
    """The reason, where it is one; an engine that says another one has failed in a way that nobody foresaw."""
    return reason if isinstance(reason, str) and reason in ENDINGS else "crash"


def ending_of(reason: str) -> Ending | None:
    """What there is to say of a run that ended for this reason; None where it came to its end or has not ended."""
    return ENDINGS.get(reason)
