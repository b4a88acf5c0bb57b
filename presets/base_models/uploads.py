"""A base model received in pieces: a partial file in the data folder's `models`, whose size is the offset.

No row is needed: the file beside it holds the name, the size and the owner, and both outlive every process.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.free_space import free_bytes, in_words
from presets.base_models.addresses import refuse_other_content, refuse_pickles, safe_name
from presets.base_models.download import DiskIsFull, explained
from system.audit import Thing, record
from web.api.tus import Stream, WrongOffset, write_piece
from web.errors import BadInput, NotFound, NotNow

MARGIN = 500_000_000  # bytes that stay free
MOST_BYTES = 500_000_000_000
KEPT = timedelta(days=7)  # an unfinished upload can be continued for this long


@dataclass(frozen=True)
class ModelUpload:
    """An upload that is under way; `user` is the id of its owner."""

    id: str
    name: str
    size: int
    user: int

    @property
    def partial(self) -> Path:
        return _folder() / f".{self.id}.partial"

    @property
    def facts(self) -> Path:
        return _folder() / f".{self.id}.upload"

    @property
    def target(self) -> Path:
        return _folder() / self.name

    @property
    def offset(self) -> int:
        """The bytes that are received; all of them once the file is at its place."""
        return self.partial.stat().st_size if self.partial.exists() else self.size


def begin(filename: str, size: int, user: User) -> ModelUpload:
    """Make a place for the file, before any byte is sent. Raises DomainError."""
    name = safe_name(filename)
    refuse_pickles(name)
    if not 0 < size <= MOST_BYTES:
        raise BadInput(_("A model has at least one byte and at most %(most)s.") % {"most": in_words(MOST_BYTES)})
    upload = ModelUpload(str(uuid.uuid4()), name, size, user.pk)
    _refuse_taken(upload)
    _folder().mkdir(parents=True, exist_ok=True)
    forget_old()
    if size + MARGIN > (free := free_bytes(_folder())):
        raise DiskIsFull(
            _("%(name)s has %(size)s, and %(free)s are free on the disk: free some space first.")
            % {"name": name, "size": in_words(size), "free": in_words(free)}
        )
    upload.facts.write_text(json.dumps(asdict(upload)))
    upload.partial.touch()
    return upload


def _refuse_taken(upload: ModelUpload) -> None:
    if upload.target.exists():
        raise NotNow(
            _("A model named %(name)s is there already: delete it first, or rename the file.") % {"name": upload.name}
        )


def find(upload_id: str, user: User) -> ModelUpload:
    """The user's own upload. Raises NotFound."""
    try:
        upload = ModelUpload(**json.loads((_folder() / f".{uuid.UUID(upload_id)}.upload").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise NotFound(_("There is no such upload: it ended, or it was left for more than a week.")) from error
    if upload.user != user.pk:
        raise NotFound(_("There is no such upload: it ended, or it was left for more than a week."))
    return upload


def append(upload: ModelUpload, offset: int, stream: Stream, checksum: tuple[str, bytes] | None, user: User) -> int:
    """Write a piece that begins at `offset`, and put the model in its place when it is whole. Raises DomainError."""
    try:
        with _opened(upload) as file:
            if offset != upload.offset:
                raise WrongOffset
            file.seek(offset)
            try:
                end = write_piece(file, stream, upload.size - offset, checksum)
            except BaseException:
                file.truncate(offset)
                raise
            os.fsync(file.fileno())
    except OSError as error:
        raise explained(error, upload.target) from error
    if end == upload.size:
        _finish(upload, user)
    return end


@contextmanager
def _opened(upload: ModelUpload) -> Iterator[BinaryIO]:
    """The received bytes, while no other request writes to them."""
    try:
        with upload.partial.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
    except BlockingIOError as error:
        raise NotNow(_("Another request is sending this file: try again in a moment.")) from error
    except FileNotFoundError as error:
        raise NotNow(_("This upload has ended already.")) from error


def _finish(upload: ModelUpload, user: User) -> None:
    _refuse_taken(upload)
    upload.partial.replace(upload.target)
    upload.facts.unlink(missing_ok=True)
    refuse_other_content(upload.target)
    record("model.uploaded", actor=user, thing=Thing("base model", "", upload.name), after={"bytes": upload.size})


def cancel(upload: ModelUpload) -> None:
    """Remove the received bytes."""
    upload.partial.unlink(missing_ok=True)
    upload.facts.unlink(missing_ok=True)


def forget_old() -> None:
    """Remove the uploads that nobody continued for a week."""
    for facts in _folder().glob(".*.upload"):
        partial = facts.with_suffix(".partial")
        changed = partial.stat().st_mtime if partial.exists() else 0
        if changed < (now() - KEPT).timestamp():
            partial.unlink(missing_ok=True)
            facts.unlink(missing_ok=True)


def _folder() -> Path:
    return settings.DATA_DIR / "models"
