"""What a user does with data sets and their pictures: create, rename, delete and restore; edit, exclude and remove."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.paths.policy import Purpose
from presets.datasets.files import PictureState, locked
from presets.datasets.intake import refuse_references
from presets.datasets.names import flat_name
from presets.datasets.versions import Change, apply, state_of
from presets.models import DataSet, DataSetPicture, DataSetVersion
from presets.models_datasets import SET_NAME
from web.errors import BadInput, NotFound, NotNow
from web.paths.site import judge, refusal

LONGEST_CAPTION = 100_000
FEW = 500  # ids of one query
Edit = Callable[[DataSetPicture, PictureState], PictureState]


# -- data sets ---------------------------------------------------------------------------------------------------------


def create(name: str, by: User | None, *, path: str = "", notes: str = "", tags: str = "") -> DataSet:
    """Make a data set with an empty folder of its own, or of the folder `path` on the server. Raises BadInput."""
    name = check_name(name)
    if path:
        path = str(_checked_folder(path))
    try:
        with transaction.atomic():
            data_set = DataSet.objects.create(name=name, owner=by, path=path, notes=notes, tags=tidy_tags(tags))
    except IntegrityError as error:
        raise _taken(name) from error
    if not path:
        _make_folder(data_set)
    return data_set


def check_name(name: str) -> str:
    """The name without spaces at its ends. Raises BadInput."""
    name = name.strip()
    try:
        SET_NAME(name)
    except ValidationError as error:
        raise BadInput(error.messages[0], {"name": error.messages}) from error
    return name


def tidy_tags(text: str) -> str:
    return ", ".join(dict.fromkeys(tag for part in text.split(",") if (tag := part.strip())))[:500]


def _taken(name: str) -> BadInput:
    sentence = _("There is a data set named “%(name)s” already: choose another name.") % {"name": name}
    return BadInput(sentence, {"name": [sentence]})


def _make_folder(data_set: DataSet) -> None:
    if data_set.folder.is_symlink():  # it leads to a data set that had this name before
        data_set.folder.unlink()
    data_set.folder.mkdir(parents=True, exist_ok=True)


def _checked_folder(path: str) -> Path:
    """The folder with links resolved. Raises BadInput."""
    sentence = refusal(path, Purpose.READ_PICTURES)
    real = Path(judge(path, Purpose.READ_PICTURES).real) if not sentence else None
    if real and not real.is_dir():
        sentence = _("%(path)s is not a folder on this server: choose another.") % {"path": path[:200]}
    if real and real.is_relative_to(Path(settings.DATA_DIR).resolve() / "datasets"):
        sentence = _("%(path)s is among the site's own data sets already: open it there.") % {"path": path[:200]}
    if sentence or real is None:
        raise BadInput(sentence, {"path": [str(sentence)]})
    return real


def change(data_set: DataSet, facts: dict[str, str], by: User | None) -> DataSet:
    """Change name, notes or tags; a new name moves the folder, and a link stays where it was. Raises BadInput."""
    with locked(data_set):
        if "name" in facts and check_name(facts["name"]) != data_set.name:
            _rename(data_set, check_name(facts["name"]))
        data_set.notes = facts.get("notes", data_set.notes)
        data_set.tags = tidy_tags(facts.get("tags", data_set.tags))
        data_set.changed_at = now()
        data_set.save(update_fields=["name", "notes", "tags", "changed_at"])
    return data_set


def _rename(data_set: DataSet, name: str) -> None:
    """Configs that name the old folder find the pictures by the link, until a new data set takes its name."""
    if DataSet.objects.present().filter(name=name).exclude(pk=data_set.pk).exists():
        raise _taken(name)
    before, data_set.name = data_set.folder, name
    if data_set.is_reference:
        return
    if data_set.folder.is_symlink():
        data_set.folder.unlink()
    elif data_set.folder.exists():
        raise _taken(name)
    before.rename(data_set.folder)
    before.symlink_to(data_set.folder.name, target_is_directory=True)


def delete(data_set: DataSet) -> None:
    """Take the data set away; `restore` brings it back. A folder of the server stays as it is."""
    with locked(data_set):
        if data_set.deleted_at is not None:
            return
        if not data_set.is_reference and data_set.folder.is_dir():
            _trash(data_set).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            data_set.folder.rename(_trash(data_set))
        data_set.deleted_at = now()
        data_set.save(update_fields=["deleted_at"])


def restore(data_set: DataSet) -> None:
    """Bring a deleted data set back. Raises BadInput if another one has its name now."""
    with locked(data_set):
        if data_set.deleted_at is None:
            return
        if DataSet.objects.present().filter(name=data_set.name).exists():
            raise _taken(data_set.name)
        if not data_set.is_reference:
            _make_way(data_set)
            if _trash(data_set).is_dir():
                _trash(data_set).rename(data_set.folder)
        data_set.deleted_at = None
        data_set.save(update_fields=["deleted_at"])


def _make_way(data_set: DataSet) -> None:
    """An empty folder or a link in the place of the folder is removed. Raises BadInput for a folder with files."""
    if data_set.folder.is_symlink():
        data_set.folder.unlink()
    elif data_set.folder.is_dir():
        if any(data_set.folder.iterdir()):
            raise _taken(data_set.name)
        data_set.folder.rmdir()


def delete_for_ever(data_set: DataSet) -> None:
    """Remove a deleted data set with its files and versions. Raises NotNow unless it is deleted already."""
    if data_set.deleted_at is None:
        raise NotNow(_("Delete the data set first: then it can be removed for ever."))
    for upload in data_set.uploads.all():
        upload.part.unlink(missing_ok=True)
    shutil.rmtree(_trash(data_set), ignore_errors=True)
    shutil.rmtree(data_set.kept, ignore_errors=True)
    data_set.delete()


def _trash(data_set: DataSet) -> Path:
    return Path(settings.DATA_DIR) / "kept" / "deleted" / str(data_set.pk)


# -- pictures ----------------------------------------------------------------------------------------------------------


def edit(
    data_set: DataSet, pictures: Sequence[int], label: str, one: Edit, by: User | None, batch: str = ""
) -> DataSetVersion | None:
    """Change the state of pictures by `one`, as a version with this label; None if nothing changes."""
    with locked(data_set):
        changes = [Change(row.name, state_of(row), one(row, state_of(row))) for row in chosen(data_set, pictures)]
        return apply(data_set, label, changes, by, batch=batch)


def chosen(data_set: DataSet, pictures: Sequence[int]) -> list[DataSetPicture]:
    """The rows of these ids. Raises NotFound if one is not in the set any more."""
    wanted = set(pictures)
    if len(wanted) <= FEW:
        rows = list(data_set.pictures.filter(pk__in=wanted))
    else:
        rows = [row for row in data_set.pictures.all() if row.pk in wanted]
    if len(rows) < len(wanted):
        raise NotFound(_("A picture is not in the data set any more: load the page again."))
    return rows


def set_caption(data_set: DataSet, picture: int, text: str | None, by: User | None) -> DataSetVersion | None:
    """Write a picture's caption file, or remove it with None. Raises BadInput."""
    if text is not None and len(text) > LONGEST_CAPTION:
        raise BadInput(_("The caption is too long: at most %(most)s characters.") % {"most": LONGEST_CAPTION})
    clean = None if text is None else text.replace("\r\n", "\n").replace("\x00", "").strip("\n")
    (row,) = chosen(data_set, [picture])
    label = _("Caption of %(name)s") % {"name": row.name}
    return edit(data_set, [picture], label, lambda row, state: state.changed(caption=clean), by)


def exclude(data_set: DataSet, pictures: Sequence[int], excluded: bool, by: User | None) -> DataSetVersion | None:
    """Move pictures with their captions and masks into a folder that no trainer reads, or back."""
    refuse_references(data_set)
    count = len(set(pictures))
    words = (
        ngettext("%(count)s picture excluded", "%(count)s pictures excluded", count)
        if excluded
        else ngettext("%(count)s picture included", "%(count)s pictures included", count)
    )
    return edit(data_set, pictures, words % {"count": count}, lambda row, state: state.changed(excluded=excluded), by)


def remove(data_set: DataSet, pictures: Sequence[int], by: User | None) -> DataSetVersion | None:
    """Remove pictures with their captions and masks; they are kept for undo."""
    refuse_references(data_set)
    with locked(data_set):
        changes = [Change(row.name, state_of(row), None) for row in chosen(data_set, pictures)]
        label = ngettext("%(count)s picture removed", "%(count)s pictures removed", len(changes))
        return apply(data_set, label % {"count": len(changes)}, changes, by)


def rename_picture(data_set: DataSet, picture: int, name: str, by: User | None) -> DataSetVersion | None:
    """Give a picture another name; its ending stays. Raises BadInput."""
    refuse_references(data_set)
    with locked(data_set):
        (row,) = chosen(data_set, [picture])
        suffix = PurePosixPath(row.name).suffix
        stem = flat_name(f"{name.strip().removesuffix(suffix)}{suffix}").removesuffix(suffix)
        others = data_set.pictures.exclude(pk=row.pk).filter(name__istartswith=f"{stem}.")
        if not stem or any(PurePosixPath(other.name).stem.casefold() == stem.casefold() for other in others):
            sentence = _("Choose a name that no other picture of the set has.")
            raise BadInput(sentence, {"name": [sentence]})
        target = str(PurePosixPath(row.name).with_name(f"{stem}{suffix}"))
        if target == row.name:
            return None
        label = _("%(name)s renamed to %(target)s") % {"name": row.name, "target": target}
        return apply(data_set, label, [Change(row.name, state_of(row), None), Change(target, None, state_of(row))], by)
