"""List the server's folders to choose a path: only inside the allowed folders, bounded in names and time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.reading.formats import is_picture
from engine.builtin.reading.scan import UNUSABLE
from engine.interface.json_types import JsonObject
from engine.paths import door
from engine.paths.policy import Policy, Purpose, Refused
from web.errors import BadInput, NotFound
from web.natural import natural
from web.paths.site import open_folders, policy, refusal, sentence

KINDS = ("folder", "file", "model", "save")
WEIGHTS = (".safetensors",)
MODEL_FILE = "model_index.json"  # a folder with this file is a diffusers model
MOST_SHOWN = 500
MOST_READ = 50_000  # names of one folder
MOST_LINKS = 2_000  # resolved in one folder
MOST_COUNTED = 5_000  # names that are read to count a subfolder's pictures
COUNTING_SHARE = 0.125  # of settings.FOLDER_SECONDS, for the pictures of all subfolders together
LONGEST_NAME = 255


@dataclass(frozen=True)
class FolderEntry:
    """A listed folder or file; `pictures` is the number directly in a folder, or None if they were not counted."""

    name: str
    path: str
    is_folder: bool
    size: int | None = None
    pictures: int | None = None
    is_model: bool = False
    counted: bool = True  # False if there are more pictures than were counted


@dataclass(frozen=True)
class Place:
    title: str
    path: str


@dataclass(frozen=True)
class Listing:
    """One folder; `name` is the last part of the requested path, if that was not a folder."""

    path: str
    kind: str
    crumbs: list[Place]
    places: list[Place]
    entries: list[FolderEntry]
    total: int
    pictures: int
    is_model: bool = False
    parent: str = ""
    name: str = ""
    note: str = ""


def list_folder(
    path: str = "",
    kind: str = "folder",
    suffixes: Sequence[str] = (),
    words: str = "",
    nearest: bool = False,
    most_read: int = MOST_READ,
) -> Listing:
    """List a folder, or the folder of the file that `path` names; without a path, the first place.

    With `nearest`, list the closest folder above if the path does not exist, as for a half-typed path in a dialog.
    Raises BadInput and NotFound.
    """
    if kind not in KINDS:
        raise BadInput(
            _("kind must be one of %(kinds)s.") % {"kinds": ", ".join(KINDS)},
            {"kind": [_("It must be one of %(kinds)s.") % {"kinds": ", ".join(KINDS)}]},
        )
    places = places_for(kind)
    folder, name = _folder_of(path or (places[0].path if places else ""), kind, nearest)
    content = _read(folder, kind, suffixes, most_read)
    matching = [entry for entry in content.entries if words.casefold() in entry.name.casefold()]
    matching.sort(key=lambda entry: (not entry.is_folder, natural(entry.name)))
    return Listing(
        path=str(folder),
        kind=kind,
        crumbs=_crumbs(folder, places, kind),
        places=places,
        entries=list(_with_facts(matching[:MOST_SHOWN])),
        total=len(matching),
        pictures=content.pictures,
        is_model=_is_model(str(folder)),
        parent=str(folder.parent) if folder.parent != folder and not refusal(str(folder.parent), _for(kind)) else "",
        name=name,
        note=" ".join(_notes(content, len(matching), most_read)),
    )


def make_folder(parent: str, name: str) -> Path:
    """Create a folder in a writable folder. Raises BadInput and NotFound."""
    folder, _typed = _folder_of(parent, "save", nearest=False)
    if (
        not name
        or name.startswith(".")
        or "/" in name
        or UNUSABLE.search(name)
        or len(os.fsencode(name)) > LONGEST_NAME
    ):
        raise _bad(_("Type a name without a slash and without a dot at its beginning."), "name")
    try:
        return Path(door.make_folder(policy(), str(folder / name)))
    except Refused as refused:
        raise _bad(sentence(refused), "name") from refused
    except FileExistsError as error:
        raise _bad(
            _("A file or folder named %(name)s exists already: choose another name.") % {"name": name}, "name"
        ) from error
    except OSError as error:
        raise _bad(
            _("The folder %(name)s cannot be created (%(error)s): choose a folder that the site may write to.")
            % {"name": name, "error": error.strerror},
            "name",
        ) from error


def _for(kind: str) -> Purpose:
    return Purpose.WRITE_FOLDER if kind == "save" else Purpose.LIST


def places_for(kind: str) -> list[Place]:
    """The places to start from: the allowed folders, the data folder's own folders, and the demo."""
    data = settings.DATA_DIR
    places = [Place("Data sets", str(data / "datasets")), Place("Models", str(data / "models"))]
    roots = [Place(_title(root), str(root)) for root in open_folders()]
    places = [*roots, *(reversed(places) if kind in ("model", "save") else places)]
    if kind != "save":
        places += [Place("Runs", str(data / "runs")), Place("Demo", str(settings.DEMO_DIR))]
    return [place for place in places if not refusal(place.path, _for(kind)) and Path(place.path).is_dir()]


def _title(root: Path) -> str:
    return "Home" if root == Path.home() else root.name or str(root)


# -- the folder --------------------------------------------------------------------------------------------------------


def _folder_of(path: str, kind: str, nearest: bool) -> tuple[Path, str]:
    """The folder with links resolved, so that the folder that is read is the checked folder, and the file's name."""
    try:
        real = Path(policy().judge(path, _for(kind), str(settings.BASE_DIR)).real)
        if real.is_dir():
            return real, ""
        here, name = real.parent, real.name
        while nearest and not here.is_dir() and here != here.parent:
            here, name = here.parent, ""
        fits = here.is_dir() and (nearest or real.exists())
    except Refused as refused:
        raise _bad(sentence(refused)) from refused
    except (OSError, ValueError) as error:
        raise _bad(_("%(path)s is not a usable path: type another path.") % {"path": path[:200]}) from error
    if not fits:
        raise NotFound(_("%(path)s does not exist any more: choose another folder.") % {"path": path[:200]})
    if text := refusal(str(here), _for(kind)):
        raise _bad(text)
    return here, name


def _bad(text: str, field: str = "path") -> BadInput:
    return BadInput(text, {field: [text]})


def _crumbs(folder: Path, places: list[Place], kind: str) -> list[Place]:
    """The folders from the outermost allowed folder down to this folder."""
    way = [one for one in (*reversed(folder.parents), folder) if not refusal(str(one), _for(kind))]
    titles = {os.path.realpath(place.path): place.title for place in places}
    return [
        Place(titles.get(str(one), one.name or "/") if not index else one.name, str(one))
        for index, one in enumerate(way)
    ]


@dataclass
class _FolderContent:
    entries: list[FolderEntry]
    pictures: int = 0
    whole: bool = True
    unnamable: int = 0
    links: int = 0
    elsewhere: int = 0


def _read(folder: Path, kind: str, suffixes: Sequence[str], most: int) -> _FolderContent:
    content = _FolderContent([])
    allowed = policy()
    endings = tuple(suffix.lower() for suffix in suffixes if suffix) or (WEIGHTS if kind == "model" else ())
    try:
        with _names_in(allowed, folder, kind) as entries:
            for number, entry in enumerate(entries):
                if number >= most:
                    content.whole = False
                    break
                _take(content, Entry(entry, folder), kind, endings, allowed)
    except Refused as refused:
        raise _bad(sentence(refused)) from refused
    except PermissionError as error:
        raise _bad(
            _("The site may not read %(folder)s: give it permission, or choose another folder.") % {"folder": folder}
        ) from error
    except OSError as error:
        raise NotFound(
            _("%(folder)s cannot be read (%(error)s): choose another folder.")
            % {"folder": folder, "error": error.strerror}
        ) from error
    return content


@contextmanager
def _names_in(allowed: Policy, folder: Path, kind: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The names in the folder that was judged, whatever has its path by now. Raises Refused and OSError."""
    descriptor, _judged = door.open_folder(allowed, str(folder), _for(kind))
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


class Entry:
    """A name in a folder that is read by its descriptor, with the path by which others find it."""

    def __init__(self, entry: os.DirEntry[str], folder: Path) -> None:
        self.name, self.path = entry.name, str(folder / entry.name)
        self.is_symlink, self.is_dir = entry.is_symlink, entry.is_dir


def _take(content: _FolderContent, entry: Entry, kind: str, endings: tuple[str, ...], allowed: Policy) -> None:
    if entry.name.startswith("."):
        return
    if UNUSABLE.search(entry.name):
        content.unnamable += 1
    elif _is_closed(entry, content, allowed, _for(kind)):
        return
    elif _is_folder(entry):
        content.entries.append(FolderEntry(entry.name, entry.path, is_folder=True))
    else:
        content.pictures += is_picture(Path(entry.name))
        if kind != "folder" and (not endings or entry.name.lower().endswith(endings)):
            content.entries.append(FolderEntry(entry.name, entry.path, is_folder=False))


def _is_closed(entry: Entry, content: _FolderContent, allowed: Policy, purpose: Purpose) -> bool:
    """Whether the entry is a link to a forbidden place, or the site's own folder; other entries are allowed."""
    if entry.is_symlink():
        content.links += 1
        closed = content.links > MOST_LINKS or not allowed.allows(entry.path, purpose)
        content.elsewhere += closed
        return closed
    own = (settings.DATA_DIR.name, "attempts")
    return entry.name in own and not allowed.allows(entry.path, purpose)


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _with_facts(entries: Sequence[FolderEntry]) -> Iterator[FolderEntry]:
    """The entries with the size of files and the pictures of folders, which are counted only while that is quick."""
    until = time.monotonic() + COUNTING_SHARE * settings.FOLDER_SECONDS
    for entry in entries:
        if not entry.is_folder:
            yield replace(entry, size=_size(entry.path))
        elif time.monotonic() < until:
            count, counted = count_pictures(entry.path)
            yield replace(entry, pictures=count, counted=counted, is_model=_is_model(entry.path))
        else:
            yield entry


def _is_model(folder: str) -> bool:
    return Path(folder, MODEL_FILE).is_file()


def _size(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None


def count_pictures(path: str) -> tuple[int | None, bool]:
    """(the number of pictures directly in the folder, whether all were counted); None if it may not be read."""
    count = 0
    try:
        with os.scandir(path) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_COUNTED:
                    return count, False
                count += is_picture(Path(entry.name))
    except OSError:
        return None, True
    return count, True


def _notes(content: _FolderContent, total: int, most_read: int) -> Iterator[str]:
    if not content.whole:
        yield _("This folder has more than %(most_read)s names, and only these were read: type the path instead.") % {
            "most_read": f"{most_read:,}"
        }
    if total > MOST_SHOWN:
        yield _("Showing the first %(most_shown)s of %(total)s: type a part of the name to find the others.") % {
            "most_shown": MOST_SHOWN,
            "total": f"{total:,}",
        }
    if content.unnamable:
        yield _(
            "%(unnamable)s left out, since a config cannot contain their names: rename the files that you need."
        ) % {"unnamable": content.unnamable}
    if content.elsewhere:
        yield _("%(elsewhere)s left out, since they lead outside the allowed folders.") % {
            "elsewhere": content.elsewhere
        }


def as_json(listing: Listing) -> JsonObject:
    """The listing as the API returns it."""
    return {
        "path": listing.path,
        "parent": listing.parent or None,
        "name": listing.name,
        "places": [vars(place) for place in listing.places],
        "pictures": listing.pictures,
        "entries": [
            {
                "name": entry.name,
                "path": entry.path,
                "kind": "folder" if entry.is_folder else "file",
                "size": entry.size,
                "pictures": entry.pictures,
                "is_model": entry.is_model,
            }
            for entry in listing.entries
        ],
        "total": listing.total,
        "note": listing.note,
    }
