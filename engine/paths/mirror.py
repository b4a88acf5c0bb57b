"""A model as a library reads it: by a name that leads to files which are open already, so that none can be swapped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engine.interface.errors import BadConfig, Problem
from engine.paths import here
from engine.paths.policy import Purpose
from engine.paths.weights import CURE_OF_INDEX, INDEX, WEIGHTS, foreign_library, unsafe_content

MOST_FILES = 400  # each is an open file
READ = (*WEIGHTS, ".json", ".txt", ".model", ".jinja", ".yaml")
BASE = "base_model_name"


@contextmanager
def mirrored(name: str, field: str = BASE) -> Iterator[str]:
    """A path to the model, for as long as it is being loaded; a name of the hub stays as it is.

    Raises BadConfig for files that are not allowed, or that could run a program, and OSError.
    """
    path = Path(name).expanduser()
    if here.current() is None or not path.exists():
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="model-") as folder, ExitStack() as kept:
        place = Path(folder) / path.name
        if path.is_dir():
            _mirror_folder(path, place, kept, field)
        else:
            _mirror_file(path, place, kept, field)
        yield str(place)


def _mirror_folder(path: Path, place: Path, kept: ExitStack, field: str) -> None:
    count = 0
    for here_, folders, names in os.walk(path, followlinks=True):
        folders[:] = [one for one in folders if not one.startswith(".") and len(Path(here_, one).parts) < 100]
        below = place / Path(here_).relative_to(path)
        below.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not name.startswith(".") and name.lower().endswith(READ):
                count += 1
                if count > MOST_FILES:
                    text = f"{path} has more than {MOST_FILES} files; choose a model's folder."
                    raise BadConfig([Problem(field, text)])
                _mirror_file(Path(here_, name), below / name, kept, field)


def _mirror_file(path: Path, place: Path, kept: ExitStack, field: str) -> None:
    try:
        file = kept.enter_context(here.opened(path, Purpose.LOAD_MODEL))
    except PermissionError as error:
        raise BadConfig([Problem(field, f"{error.strerror}.")]) from error
    place.symlink_to(f"/proc/self/fd/{file.fileno()}")
    if place.name == INDEX and (library := foreign_library(place)):
        raise BadConfig([Problem(field, f"{path} names the library {library!r}; {CURE_OF_INDEX}.")])
    if place.suffix.lower() in WEIGHTS and (what := unsafe_content(place)) and not _allows_pickles():
        raise BadConfig([Problem(field, f"{path} is {what}; choose another file.")])


def _allows_pickles() -> bool:
    policy = here.current()
    return policy is None or policy.allows_pickles
