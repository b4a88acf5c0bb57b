"""Why a run ended: the closed list of reasons, each with a title and a remedy for the user.

Engines report reasons in the `failed` event of their journal; the worker adds the reasons that only it can know. Pages,
admin and API all take the texts from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from training.models import Run


@dataclass(frozen=True)
class Ending:
    """`cure` says what the user can do; with `may_retry` the run is retried automatically.

    With `keeps_place` the run did not end by itself: it is continued before the runs that waited behind it.

    A failure that would only happen again is not retried, since that wastes hours.
    """

    title: Any
    cure: Any
    may_retry: bool = False
    without_backup: Any = ""  # the remedy for a run that has no backup, if it is another
    keeps_place: bool = False
    most_retries: int | None = None  # without progress between them; None for the limit of the run's policy


CONTINUE = _("Continue it from its newest backup, or start it again if it has none.")
NO_CURE_NEEDED = _("Continue it from its newest backup, or start a new run from its weights.")
START_AGAIN = _("Start it again: it has no backup to continue from.")
ALL_IS_LOST = _("Start it again: it had no backup yet, so all its progress is lost.")
ENDINGS: dict[str, Ending] = {
    # a user or the site ended it
    "stopped": Ending(_("Stopped"), NO_CURE_NEEDED, without_backup=START_AGAIN),
    "shutdown": Ending(_("Stopped with the server"), NO_CURE_NEEDED, without_backup=START_AGAIN, keeps_place=True),
    "signal": Ending(_("Stopped by a signal from outside"), NO_CURE_NEEDED, without_backup=START_AGAIN),
    "stop_forced": Ending(
        _("Killed because it did not stop"),
        _("Continue it from its newest backup; all progress after that backup is lost."),
        without_backup=ALL_IS_LOST,
    ),
    "stop_now": Ending(
        _("Stopped at once"),
        _("Continue it from its newest backup; all progress after that backup is lost."),
        without_backup=ALL_IS_LOST,
    ),
    # something else ended it
    "killed": Ending(
        _("Killed from outside"),
        _("Find out what kills processes on the machine; then continue it from its newest backup, or start it again."),
        without_backup=_("Find out what kills processes on the machine; then start it again: it has no backup."),
        may_retry=True,
        keeps_place=True,
    ),
    "killed_for_memory": Ending(
        _("The machine ran out of memory"),
        _("Use less main memory (fewer data loader threads, caching on disk), or close other programs on the machine."),
        may_retry=True,
    ),
    "restarted": Ending(
        _("The machine was restarted"),
        CONTINUE,
        without_backup=START_AGAIN,
        may_retry=True,
        keeps_place=True,
    ),
    "lost_worker": Ending(
        _("Lost worker"),
        _("Start its worker again: the worker takes the run over. Or continue the run from a backup elsewhere."),
        without_backup=_("Start its worker again: the worker takes the run over."),
    ),
    "lost_host": Ending(
        _("Its machine is unreachable"),
        CONTINUE,
        without_backup=START_AGAIN,
        may_retry=True,
        keeps_place=True,
    ),
    "interrupted": Ending(
        _("Ended without a reason"),
        _("Read the end of its log, then continue it from its newest backup, or start it again if it has none."),
        without_backup=_("Read the end of its log, then start it again: it has no backup."),
        may_retry=True,
    ),
    "crash": Ending(
        _("The trainer crashed"),
        _("Read the traceback and the end of the log; continue it from its newest backup once the cause is fixed."),
        without_backup=_("Read the traceback and the end of the log; start it again once the cause is fixed."),
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
        without_backup=_("Start a copy of this run with a lower learning rate."),
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
        _("The backup is damaged"), _("Continue it from an older backup."), without_backup=START_AGAIN, may_retry=True
    ),
    "disk_full": Ending(
        _("The disk is full"), _("Free disk space, then continue it from its newest backup."),
        without_backup=_("Free disk space, then start it again: it has no backup."),
    ),
    "not_written": Ending(
        _("A file was only partly written"), _("Check the disk for errors, then continue it from its newest backup."),
        without_backup=_("Check the disk for errors, then start it again: it has no backup."),
    ),
    "not_started": Ending(
        _("The run could not be started"), _("Fix the problem named above, then start the run again.")
    ),
    "failed": Ending(_("The run failed"), _("Fix the problem named above, then start the run again.")),
}  # fmt: skip


def known_reason(reason: Any) -> str:
    """The reason, if it is in the list; any other reason of an engine counts as a crash."""
    return reason if isinstance(reason, str) and reason in ENDINGS else "crash"


def keeps_place(reason: str) -> bool:
    """True if a run that ended for this reason is continued before the runs that waited behind it."""
    return reason in ENDINGS and ENDINGS[reason].keeps_place


def cure_of(run: Run) -> str:
    """What the user can do about this end, with the files that the run has; empty if it needs nothing."""
    ending = ENDINGS.get(run.error_reason)
    if ending is None:
        return ""
    return str(ending.without_backup if ending.without_backup and not run.has_backup else ending.cure)


def ending_of(reason: str) -> Ending | None:
    """The title and remedy of this reason; None if the run finished or has not ended."""
    return ENDINGS.get(reason)
