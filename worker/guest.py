"""The list in an attempt's spec by which its engine process confines itself: what it reads, writes, and never reaches.

docs/security.md describes it. The process itself adds its Python, its libraries and the machine's devices.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from engine.gpus import PYNVML_FILE
from engine.guest.confinement import Guest
from engine.interface.json_types import Json, JsonObject
from engine.paths.policy import Purpose
from web.errors import DomainError
from web.paths.site import policy, refusal

WRITTEN = ("cache_dir", "debug_dir", "huggingface_cache_dir")  # folders of a config that an engine writes to
INPUTS = (Purpose.READ_PICTURES, Purpose.READ_TEXT, Purpose.READ_CONFIG, Purpose.LOAD_MODEL)
MOST_ENTRIES = 500_000  # of an input folder, in which links are looked for
MOST_LINKS = 5_000
BESIDE_A_DATABASE = ("", "-wal", "-shm", "-journal")


class WrongPlace(DomainError):
    """An engine may not write to a folder that contains the site's own files."""


def guest_of(config: JsonObject, folder: Path, scratch: Path, also: Iterable[str] = ()) -> Guest | None:
    """The list for an engine process with this config and run's folder; None if the settings turn it off.

    `also` are more paths that it reads, such as the backup that it resumes from. Raises WrongPlace.
    """
    if not settings.CONFINE_ENGINE:
        return None
    return _list([folder, scratch, _destination(config, folder), *_caches(config)], config, also)


def guest_of_check(config: JsonObject, folder: Path, scratch: Path, also: Iterable[str] = ()) -> Guest | None:
    """The same for a check of the config: it writes the facts of OneTrainer too, and reports a wrong place itself."""
    if not settings.CONFINE_ENGINE:
        return None
    try:
        destination = _destination(config, folder)
    except WrongPlace:
        destination = None
    facts = _made(settings.DATA_DIR / "onetrainer") if settings.ONETRAINER_HOME else None
    return _list([folder, scratch, facts, destination, *_caches(config)], config, also)


def _list(written: list[Path | None], config: JsonObject, also: Iterable[str]) -> Guest:
    inputs = [*_allowed(_texts(config)), *_allowed(also)]
    read = [settings.DEMO_DIR, settings.ONETRAINER_HOME, PYNVML_FILE, *inputs, *_linked(inputs)]
    return {
        "read": sorted({str(path) for path in read if path}),
        "write": sorted({str(path) for path in written if path}),
        "private": [str(path) for path in _private()],
        "hidden": [str(path) for path in _hidden()],
    }


def compilers_caches() -> dict[str, str]:
    """Where libraries keep what they compile for a GPU: in the data folder, since their own place is in the home."""
    names = {"TRITON_CACHE_DIR": "triton", "TORCHINDUCTOR_CACHE_DIR": "inductor", "CUDA_CACHE_PATH": "cuda"}
    places = {name: str(settings.DATA_DIR / "compiled" / place) for name, place in names.items()}
    return {name: os.environ.get(name) or place for name, place in places.items()}


# -- temporary files -------------------------------------------------------------------------------------------------


def make_scratch(name: str) -> Path:
    """The folder for the temporary files of the attempt of this name; the machine's own is open to all programs."""
    place = scratch_of(name)
    try:
        place.mkdir(mode=0o700)
    except FileExistsError:
        if not _is_own_folder(place):
            return Path(tempfile.mkdtemp(prefix="onetrainer-"))
    return place


def scratch_of(name: str) -> Path:
    """Its path, short enough for a socket in it."""
    return Path(tempfile.gettempdir()) / f"onetrainer-{name}"


def remove_scratch(name: str) -> None:
    if _is_own_folder(scratch_of(name)):
        shutil.rmtree(scratch_of(name), ignore_errors=True)


def _is_own_folder(place: Path) -> bool:
    """False for a link or another user's folder, which anybody can put there."""
    try:
        facts = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()


# -- what is written -------------------------------------------------------------------------------------------------


def _destination(config: JsonObject, folder: Path) -> Path | None:
    """The folder of the final model, made if it does not exist yet; None if it is in the run's own."""
    named = config.get("output_model_destination")
    target = Path(str(named or "")).parent
    if not named or target.resolve().is_relative_to(folder.resolve()):
        return None
    if any(Path(os.path.realpath(one)).is_relative_to(target.resolve()) for one in _private()):
        sentence = _("%(target)s contains the site's own files, so no model can be written there: choose %(models)s.")
        raise WrongPlace(sentence % {"target": target, "models": settings.DATA_DIR / "models"})
    return _made(target)


def _caches(config: JsonObject) -> Iterator[Path | None]:
    """Caches of the site, of the libraries, and those that the config names."""
    home = Path.home()
    user = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    yield _made(settings.DATA_DIR / "cache")
    yield _made(Path(os.environ.get("HF_HOME") or user / "huggingface").expanduser())
    yield from (_made(Path(place)) for place in compilers_caches().values())
    yield from (Path(os.environ.get("TORCH_HOME") or user / "torch"), home / ".nv", home / ".triton")
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_XET_CACHE", "HF_ASSETS_CACHE", "MPLCONFIGDIR"):
        yield _made(Path(os.environ[name])) if os.environ.get(name) else None
    quantization = config.get("quantization")
    named = [config.get(name) for name in WRITTEN]
    named.append(quantization.get("cache_dir") if isinstance(quantization, dict) else None)
    for place in named:
        if isinstance(place, str) and Path(place).is_absolute() and not _is_site(place, write=True):
            yield _made(Path(place))


def _is_site(path: str, write: bool = False) -> bool:
    """True if the site does not allow the path, or it is part of the site's own; its cache is for engines."""
    if Path(path).resolve() == (settings.DATA_DIR / "cache").resolve():
        return False
    return refusal(path, Purpose.WRITE_FOLDER if write else Purpose.LOAD_MODEL) is not None


def _made(place: Path) -> Path | None:
    """The folder, made if it does not exist; None if it cannot be: an engine says so when it needs it."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return place


# -- what is read ----------------------------------------------------------------------------------------------------


def _texts(value: Json) -> Iterator[str]:
    """All texts of the config: whichever of them names a file, the engine reads that file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _allowed(texts: Iterable[str]) -> Iterator[str]:
    """The absolute path of each text that names an existing file or folder which the site allows to be read."""
    runs, door = os.path.realpath(settings.DATA_DIR / "runs"), policy()
    for text in dict.fromkeys(texts):
        if not text.startswith(("/", "~")) or "\x00" in text or len(os.fsencode(text[:5000])) > 4096:
            continue
        path = os.path.realpath(_with_home(text))
        if path not in (runs, "/") and os.path.lexists(path) and any(door.allows(path, purpose) for purpose in INPUTS):
            yield path


def _linked(folders: Iterable[str]) -> Iterator[str]:
    """What links in these folders lead to, as far as the site allows it to be read: many data sets are links."""
    links = (link for folder in folders for link in _links_in(folder))
    for number, link in enumerate(links):
        if number >= MOST_LINKS:
            return
        yield from _allowed([os.path.realpath(link)])


def _with_home(text: str) -> str:
    try:
        return str(Path(text).expanduser())
    except RuntimeError:  # there is no such user
        return text


def _links_in(folder: str) -> Iterator[str]:
    waiting, seen = [folder], 0
    while waiting and seen < MOST_ENTRIES:
        try:
            with os.scandir(waiting.pop()) as entries:
                found = list(entries)
        except OSError:
            continue  # a file, or a folder that cannot be read: the engine says so
        seen += len(found)
        yield from (entry.path for entry in found if entry.is_symlink())
        waiting += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]


def _hidden() -> Iterator[Path]:
    """Hidden files of the home folder, such as keys: a config that names the home folder does not open them."""
    try:
        yield from sorted(Path.home().glob(".*"))
    except (OSError, RuntimeError):
        return  # there is no home folder


def _private() -> Iterator[Path]:
    """The site's own files: a folder that contains one of them is never open as a whole."""
    yield settings.DATA_DIR
    database = connection.settings_dict
    if "sqlite" in database["ENGINE"]:
        yield from (Path(f"{database['NAME']}{ending}") for ending in BESIDE_A_DATABASE)
