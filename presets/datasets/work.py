"""The work on a data set, as a worker's process does it."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.interface.json_types import JsonObject
from presets.datasets.intake import Outcome, take_in
from presets.datasets.jobs import Action
from presets.datasets.kinds import Kind, kind_of
from presets.datasets.rescan import rescan
from presets.datasets.uploads import Status, arrival_of, settle
from presets.datasets.zips import Unpacked, unpack
from presets.models import DataSet, DataSetUpload
from system.jobs import Hold
from system.models import Job
from web.errors import DomainError, NotFound

Beat = Callable[[int, int], object]


def work(job: Job) -> tuple[str, JsonObject]:
    """Do the job; returns its result as a sentence and as facts. Raises DomainError and JobLost."""
    data_set = DataSet.objects.present().filter(pk=job.arguments["data_set"]).first()
    if data_set is None:
        raise NotFound(_("The data set was deleted."))
    hold = Hold(job)

    def beat(done: int, total: int) -> None:
        hold(**({"result": {"done": done, "total": total}} if done % 20 == 0 or done == total else {}))

    return WORK[Action(job.arguments["action"])](data_set, job, beat)


def _rescan(data_set: DataSet, job: Job, beat: Beat) -> tuple[str, JsonObject]:
    version = rescan(data_set, beat)
    return (version.label if version else _("Nothing has changed in the folder.")), {}


def _take_waiting(data_set: DataSet, job: Job, beat: Beat) -> tuple[str, JsonObject]:
    """Take in what waits, one after the other; uploads whose worker ended are taken again."""
    done = 0
    if job.failures:
        data_set.uploads.filter(status=Status.WORKING).update(status=Status.WAITING)
    while upload := _next(data_set):
        _take(data_set, upload, beat)
        done += 1
        beat(done, done + data_set.uploads.filter(status=Status.WAITING).count())
    return ngettext("%(count)s file was read.", "%(count)s files were read.", done) % {"count": done}, {"done": done}


def _next(data_set: DataSet) -> DataSetUpload | None:
    """Claim the next upload that waits; pictures first, so that captions find them."""
    for upload in data_set.uploads.filter(status=Status.WAITING).order_by("created_at"):
        if data_set.uploads.filter(pk=upload.pk, status=Status.WAITING).update(status=Status.WORKING):
            return upload
    return None


def _take(data_set: DataSet, upload: DataSetUpload, beat: Beat) -> None:
    if kind_of(upload.filename) is not Kind.ARCHIVE:
        settle(upload, take_in(data_set, arrival_of(upload)))
        return
    try:
        unpacked = unpack(data_set, upload, beat)
    except DomainError as error:
        settle(upload, Outcome(Status.REFUSED, str(error)))
    else:
        settle(upload, Outcome(Status.DONE, _summary(unpacked)), unpacked.refused)
    upload.part.unlink(missing_ok=True)


def _summary(unpacked: Unpacked) -> str:
    parts = [ngettext("%(count)s file taken in", "%(count)s files taken in", unpacked.done) % {"count": unpacked.done}]
    if unpacked.duplicates:
        parts.append(_("%(count)s in the set already") % {"count": unpacked.duplicates})
    if unpacked.refused:
        parts.append(_("%(count)s refused") % {"count": len(unpacked.refused)})
    return ", ".join(parts)


WORK: dict[Action, Callable[[DataSet, Job, Beat], tuple[str, JsonObject]]] = {
    Action.INTAKE: _take_waiting,
    Action.RESCAN: _rescan,
}
