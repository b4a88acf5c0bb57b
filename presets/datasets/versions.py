"""Changes of a data set: applied to its files and rows together, recorded as a version, undone and redone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from presets.datasets.files import (
    Mover,
    PictureState,
    caption_of,
    locked,
    mask_of,
    path_of,
    read_size,
)
from presets.models import DataSet, DataSetChange, DataSetPicture, DataSetVersion
from web.errors import NotFound, NotNow

MOST_UNDOABLE = 1000
LONGEST_LABEL = 300
BATCH_ROWS = 500
WRITERS = 32  # threads


@dataclass(frozen=True)
class Change:
    """A picture's state before and after; None where it is not in the set."""

    name: str
    before: PictureState | None
    after: PictureState | None

    def undone(self) -> Change:
        return Change(self.name, self.after, self.before)


@dataclass(frozen=True)
class Difference:
    """What changed between two versions, by the names of pictures."""

    added: list[str]
    removed: list[str]
    changed: list[Change]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def state_of(row: DataSetPicture) -> PictureState:
    return PictureState(row.sha256, row.caption, row.mask, row.excluded, row.source_sha256)


def apply(
    data_set: DataSet,
    label: str,
    changes: Sequence[Change],
    by: User | None,
    *,
    sources: dict[str, Path] | None = None,
    batch: str = "",
) -> DataSetVersion | None:
    """Make the changes on the disk and in the database, as the next version; None if nothing changes.

    Changes with the `batch` of the newest version are added to that. The caller holds the lock of the data set.
    """
    changes = [change for change in changes if change.before != change.after]
    if not changes:
        return None
    _move_files(Mover(data_set, sources), changes)
    return record(data_set, label, changes, by, batch=batch)


def _move_files(mover: Mover, changes: Sequence[Change]) -> None:
    """Take out first and put in then, so that pictures can exchange their names. Raises NotNow before any change."""
    moved = [change for change in changes if _moves(change)]
    leaving = Counter(content for change in moved for content in _contents(change.before))
    arriving = Counter(content for change in moved for content in _contents(change.after))
    for change in moved:
        if change.after and (sentence := mover.needs(change.name, change.after, leaving)):
            raise NotNow(sentence)
    mover.passing = Counter({content: count for content, count in arriving.items() if leaving[content] == count})
    for change in moved:
        if change.before:
            mover.take_out(change.name, change.before)
    for change in moved:
        if change.after:
            mover.put_in(change.name, change.after)
    stays = [change for change in changes if change.before and change.after and not _moves(change)]
    for change in stays:
        if change.before and change.after and change.before.mask != change.after.mask:
            mover.change_mask(change.name, change.before, change.after)
    # A renamed file waits for the disk, which many threads do at the same time.
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda change: _write_caption(mover, change), stays))


def _write_caption(mover: Mover, change: Change) -> None:
    if change.before and change.after and change.before.caption != change.after.caption:
        mover.write_caption(change.name, change.after)


def _contents(state: PictureState | None) -> list[str]:
    return [content for content in (state.sha256, state.mask) if content] if state else []


def _moves(change: Change) -> bool:
    """Whether the picture's file itself changes its content or place."""
    before, after = change.before, change.after
    return (before and (before.sha256, before.excluded)) != (after and (after.sha256, after.excluded))


# -- rows --------------------------------------------------------------------------------------------------------------


@transaction.atomic
def record(
    data_set: DataSet, label: str, changes: Sequence[Change], by: User | None, *, batch: str = "", undoable: bool = True
) -> DataSetVersion:
    """Write the rows of changes that the files have already, as a version."""
    version = _version_for(data_set, label, by, batch, undoable)
    DataSetChange.objects.bulk_create(
        [
            DataSetChange(
                version=version,
                name=change.name,
                before=change.before and change.before.to_dict(),
                after=change.after and change.after.to_dict(),
            )
            for change in changes
        ],
        batch_size=BATCH_ROWS,
    )
    _write_rows(data_set, changes)
    return version


def _version_for(data_set: DataSet, label: str, by: User | None, batch: str, undoable: bool) -> DataSetVersion:
    newest = data_set.versions.filter(number=data_set.version).first() if batch else None
    if newest and newest.batch == batch:
        data_set.changed_at = now()
        data_set.save(update_fields=["changed_at"])
        if newest.label != label:
            newest.label = label[:LONGEST_LABEL]
            newest.save(update_fields=["label"])
        return newest
    data_set.version += 1
    data_set.changed_at = now()
    if undoable:
        data_set.undoable = [*data_set.undoable, data_set.version][-MOST_UNDOABLE:]
        data_set.redoable = []
    data_set.save(update_fields=["version", "changed_at", "undoable", "redoable"])
    return data_set.versions.create(number=data_set.version, label=label[:LONGEST_LABEL], user=by, batch=batch)


def _write_rows(data_set: DataSet, changes: Sequence[Change]) -> None:
    gone = [change.name for change in changes if change.after is None]
    for start in range(0, len(gone), BATCH_ROWS):
        data_set.pictures.filter(name__in=gone[start : start + BATCH_ROWS]).delete()
    kept = {change.name: change for change in changes if change.after}
    rows = {row.name: row for row in _rows_named(data_set, kept)}
    for name, change in kept.items():
        row = rows.get(name) or DataSetPicture(data_set=data_set, name=name)
        _refresh(row, change)
        rows[name] = row
    fresh = [row for row in rows.values() if row.pk is None]
    DataSetPicture.objects.bulk_create(fresh, batch_size=BATCH_ROWS)
    new = {row.name for row in fresh}
    changed = [row for row in rows.values() if row.name not in new]
    fields = [field.name for field in DataSetPicture._meta.fields if field.name not in ("id", "data_set", "name")]
    DataSetPicture.objects.bulk_create(  # a tenth of the time of `bulk_update`
        changed, update_conflicts=True, unique_fields=["id"], update_fields=fields, batch_size=BATCH_ROWS
    )


def _rows_named(data_set: DataSet, names: Iterable[str]) -> Iterable[DataSetPicture]:
    listed = list(names)
    for start in range(0, len(listed), BATCH_ROWS):
        yield from data_set.pictures.filter(name__in=listed[start : start + BATCH_ROWS])


def _refresh(row: DataSetPicture, change: Change) -> None:
    """Bring a row to the state after a change, with the facts of its files."""
    after = change.after
    assert after is not None  # noqa: S101  the caller left out removed pictures
    path = path_of(row.data_set, row.name, after.excluded)
    is_new = row.pk is None or row.sha256 != after.sha256
    row.sha256, row.caption, row.mask, row.excluded = after.sha256, after.caption, after.mask, after.excluded
    row.source_sha256 = after.source_sha256
    row.changed_ns, row.size = _stamp(path)
    row.caption_ns = _stamp(caption_of(path))[0] if after.caption is not None else 0
    row.mask_ns = _stamp(mask_of(path))[0] if after.mask else 0
    if is_new:
        row.width, row.height, row.problem = _read_size(path)


def _stamp(path: Path) -> tuple[int, int]:
    """(time of change in ns, bytes) of a file; zeros if it is gone, which the next look at the folder notices."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def _read_size(path: Path) -> tuple[int, int, str]:
    try:
        return read_size(path)
    except OSError as error:
        return 0, 0, str(error.strerror or error)


# -- undo, redo, differences -------------------------------------------------------------------------------------------


def undo(data_set: DataSet, by: User | None) -> DataSetVersion:
    """Take back the newest version that is not undone yet, by a new version. Raises NotNow."""
    with locked(data_set):
        if not data_set.undoable:
            raise NotNow(_("There is nothing to undo in this data set."))
        number = data_set.undoable[-1]
        version = _repeat(data_set, number, by, backwards=True)
        data_set.undoable = data_set.undoable[:-1]
        data_set.redoable = [*data_set.redoable, number]
        data_set.save(update_fields=["undoable", "redoable"])
        return version


def redo(data_set: DataSet, by: User | None) -> DataSetVersion:
    """Repeat the version that was undone last. Raises NotNow."""
    with locked(data_set):
        if not data_set.redoable:
            raise NotNow(_("There is nothing to redo in this data set."))
        number = data_set.redoable[-1]
        version = _repeat(data_set, number, by, backwards=False)
        data_set.redoable = data_set.redoable[:-1]
        data_set.undoable = [*data_set.undoable, number]
        data_set.save(update_fields=["undoable", "redoable"])
        return version


def _repeat(data_set: DataSet, number: int, by: User | None, backwards: bool) -> DataSetVersion:
    of = data_set.versions.get(number=number)
    changes = net_changes(of.changes.all(), backwards)
    label = (_("Undone: %(label)s") if backwards else _("Redone: %(label)s")) % {"label": of.label}
    if data_set.is_reference and any(_moves(change) for change in changes):
        raise NotNow(_("Files of this folder were changed on the server, which only the server can take back."))
    _move_files(Mover(data_set), changes)
    return record(data_set, label, changes, by, undoable=False)


def net_changes(rows: Iterable[DataSetChange], backwards: bool = False) -> list[Change]:
    """The changes of versions in their order as one change for each picture; backwards, from the end to the start."""
    first: dict[str, PictureState | None] = {}
    last: dict[str, PictureState | None] = {}
    for row in rows:
        first.setdefault(row.name, PictureState.of(row.before))
        last[row.name] = PictureState.of(row.after)
    changes = [Change(name, first[name], last[name]) for name in first]
    changes = [change for change in changes if change.before != change.after]
    return [change.undone() for change in changes] if backwards else changes


def difference(data_set: DataSet, since: int, until: int | None = None) -> Difference:
    """What changed after version `since`, up to `until` or now. Raises NotFound for a number without a version."""
    if not 0 <= since <= data_set.version:
        raise NotFound(_("This data set has no version %(number)s.") % {"number": since})
    rows = DataSetChange.objects.filter(version__data_set=data_set, version__number__gt=since)
    if until is not None:
        rows = rows.filter(version__number__lte=until)
    changes = net_changes(rows.order_by("version__number", "pk"))
    return Difference(
        added=sorted(change.name for change in changes if change.before is None),
        removed=sorted(change.name for change in changes if change.after is None),
        changed=sorted((change for change in changes if change.before and change.after), key=lambda one: one.name),
    )
