"""Files received in pieces: rows, bytes on the disk, and what happens when a file is complete."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from presets.datasets.intake import Arrival, Outcome, needs_worker, refuse_references, sent_stem, take_in
from presets.datasets.jobs import Action, ask
from presets.datasets.kinds import MOST_ARCHIVE_BYTES, Kind, kind_of, why_refused
from presets.datasets.space import check_space
from presets.models import DataSet, DataSetUpload
from web.api.tus import Stream, TooLarge, WrongOffset, write_piece
from web.errors import BadInput, NotNow

Status = DataSetUpload.Status
KEPT = timedelta(days=7)  # an unfinished upload can be continued for this long


def begin(data_set: DataSet, by: User | None, filename: str, size: int, **facts: object) -> DataSetUpload:
    """Make the row of a file that will be received. Raises BadInput, TooLarge and NoSpace, before any byte is sent."""
    refuse_references(data_set)
    if not filename:
        raise BadInput(_("Name the file in Upload-Metadata, as `filename` in base64."))
    if size > MOST_ARCHIVE_BYTES:
        raise TooLarge(why_refused(filename, size) or None)
    if reason := why_refused(filename, size):
        raise BadInput(f"{filename[:200]}: {reason}")
    check_space(size)
    forget_old()
    upload = data_set.uploads.create(user=by, filename=filename[:1000], size=size, **facts)
    upload.part.parent.mkdir(mode=0o700, exist_ok=True)
    upload.part.touch(mode=0o600)
    return upload


def forget_old() -> None:
    """Delete uploads that were left unfinished, with their bytes, and the rows of finished ones."""
    for upload in DataSetUpload.objects.filter(changed_at__lt=now() - KEPT).exclude(status=Status.WORKING)[:100]:
        cancel(upload)


def cancel(upload: DataSetUpload) -> None:
    upload.part.unlink(missing_ok=True)
    upload.delete()


@contextmanager
def _opened(upload: DataSetUpload) -> Iterator[BinaryIO]:
    """The file of received bytes, while no other request writes to it."""
    try:
        with upload.part.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            upload.refresh_from_db()
            yield file
    except BlockingIOError as error:
        raise NotNow(_("Another request is sending this file: try again in a moment.")) from error
    except FileNotFoundError as error:
        raise NotNow(_("This upload has ended: its bytes are no longer here.")) from error


def append(upload: DataSetUpload, offset: int, stream: Stream, checksum: tuple[str, bytes] | None = None) -> None:
    """Write a piece that begins at `offset`, and take the file in when it is complete.

    Raises WrongOffset, WrongChecksum, TooLarge and NotNow; then nothing of the piece counts.
    """
    with _opened(upload) as file:
        if upload.status != Status.RECEIVING or offset != upload.offset:
            raise WrongOffset
        check_space(upload.size - upload.offset)
        file.seek(offset)
        end = write_piece(file, stream, upload.size - offset, checksum)
        file.truncate(end)
        os.fsync(file.fileno())
        upload.offset, upload.changed_at = end, now()
        upload.save(update_fields=["offset", "changed_at"])
    if upload.offset == upload.size:
        complete(upload)


def complete(upload: DataSetUpload) -> None:
    """Take the received file in at once, or have a worker do it if it must be decoded or unpacked."""
    if needs_worker(upload.part, upload.filename):
        upload.status, upload.changed_at = Status.WAITING, now()
        upload.save(update_fields=["status", "changed_at"])
        ask(upload.data_set, Action.INTAKE, upload.user)
        return
    settle(upload, take_in(upload.data_set, arrival_of(upload)))


def arrival_of(upload: DataSetUpload) -> Arrival:
    return Arrival(upload.part, upload.filename, upload.user, upload.batch, upload.keep_original, _placed(upload))


def settle(upload: DataSetUpload, outcome: Outcome, refused: list[dict[str, str]] | None = None) -> None:
    """Save what became of the file."""
    upload.status, upload.detail, upload.name = outcome.status, outcome.detail[:500], outcome.name
    upload.refused, upload.changed_at = refused or [], now()
    upload.save(update_fields=["status", "detail", "name", "refused", "changed_at"])


def _placed(upload: DataSetUpload) -> dict[str, str]:
    """By stem: pictures of the same batch that have another name in the set than they were sent with."""
    if not upload.batch or kind_of(upload.filename) is Kind.PICTURE:
        return {}
    sent = upload.data_set.uploads.filter(Q(name__contains=" (") | Q(status=Status.DUPLICATE), batch=upload.batch)
    return {sent_stem(name): placed for name, placed in sent.values_list("filename", "name") if _is_picture(name)}


def _is_picture(filename: str) -> bool:
    return kind_of(filename) is Kind.PICTURE
