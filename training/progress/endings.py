"""Why a run ended: the closed list of reasons, each with a title and a remedy for the user.

Engines report reasons in the `failed` event of their journal; the worker adds the reasons that only it can know. Pages,
admin and API all take the texts from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Ending:
    """`cure` says what the user can do; with `may_retry` the run is retried automatically.

    A failure that would only happen again is not retried, since that wastes hours.
    """

    title: Any
    cure: Any
    may_retry: bool = False
    most_retries: int | None = None  # without progress between them; None for the limit of the run's policy


CONTINUE = _("Continue it from its newest backup, or start it again if it has none.")
NO_CURE_NEEDED = _("Continue it from its newest backup, or start a new run from its weights.")
ENDINGS: dict[str, Ending] = {
    # a user or the site ended it
    "stopped": Ending(_("Stopped"), NO_CURE_NEEDED),
    "shutdown": Ending(_("Stopped with the server"), NO_CURE_NEEDED),
    "signal": Ending(_("Stopped by a signal from outside"), NO_CURE_NEEDED),
    "stop_forced": Ending(
        _("Killed because it did not stop"),
        _("Continue it from its newest backup; all progress after that backup is lost."),
    ),
    "stop_now": Ending(
        _("Stopped at once"),
        _("Continue it from its newest backup; all progress after that backup is lost."),
    ),
    # something else ended it
    "killed": Ending(
        _("Killed from outside"),
        _("Find out what kills processes on the machine; then continue it from its newest backup, or start it again."),
        may_retry=True,
    ),
    "killed_for_memory": Ending(
        _("The machine ran out of memory"),
        _("Use less main memory (fewer data loader threads, caching on disk), or close other programs on the machine."),
        may_retry=True,
    ),
    "restarted": Ending(
        _("The machine was restarted"),
        CONTINUE,
        may_retry=True,
    ),
    "lost_worker": Ending(
        _("Lost worker"),
        _("Start its worker again: the worker takes the run over. Or continue the run from a backup elsewhere."),
    ),
    "lost_host": Ending(
        _("Its machine is unreachable"),
        CONTINUE,
        may_retry=True,
    ),
    "interrupted": Ending(
        _("Ended without a reason"),
        _("Read the end of its log, then continue it from its newest backup, or start it again if it has none."),
        may_retry=True,
    ),
    "crash": Ending(
        _("The trainer crashed"),
        _("Read the traceback and the end of the log; continue it from its newest backup once the cause is fixed."),
        may_retry=True,
        most_retries=1,
    ),
    "unreachable": Ending(
        _("The model hub is unreachable"),
        _("Check the network and the token; then start the run again, or choose a model that is on this machine."),
        may_retry=True,
    ),
    # it would happen again
    "out_of_memory": Ending(
        _("Out of GPU memory"),
        _("Change the settings named above in a copy of this run, or close other programs that use the GPU."),
    ),
    "out_of_main_memory": Ending(
        _("Out of main memory"),
        _("Change the settings named above in a copy of this run, or close other programs on the machine."),
    ),
    "nan": Ending(
        _("The training diverged"),
        _("Start a copy of this run with a lower learning rate, from the weights of a backup before that step."),
    ),
    "bad_config": Ending(_("A setting is wrong"), _("Correct it in a copy of this run.")),
    "bad_data": Ending(
        _("The training data cannot be used"), _("Fix or remove the files named above, then start the run again.")
    ),
    "missing_model": Ending(
        _("The base model cannot be used"), _("Check the model's path or name, then start the run again.")
    ),
    "same_again": Ending(
        _("The trainer cannot train with these settings"),
        _("Read the traceback, and change the settings that it is about in a copy of this run."),
    ),
    "bad_backup": Ending(
        _("The backup is damaged"), _("Continue it from an older backup."), may_retry=True
    ),
    "disk_full": Ending(
        _("The disk is full"), _("Free disk space, then continue it from its newest backup.")
    ),
    "not_written": Ending(
        _("A file was only partly written"), _("Check the disk for errors, then continue it from its newest backup.")
    ),
    "not_started": Ending(
        _("The run could not be started"), _("Fix the problem named above, then start the run again.")
    ),
    "failed": Ending(_("The run failed"), _("Fix the problem named above, then start the run again.")),
}  # fmt: skip


def known_reason(reason: Any) -> str:
    """The reason, if it is in the list; any other reason of an engine counts as a crash."""
    return reason if isinstance(reason, str) and reason in ENDINGS else "crash"


def ending_of(reason: str) -> Ending | None:
    """The title and remedy of this reason; None if the run finished or has not ended."""
    return ENDINGS.get(reason)
