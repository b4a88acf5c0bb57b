"""The final model's place, judged and held open from the moment of writing until the file has its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.interface.errors import BadConfig, Problem
from engine.interface.files import PARTIAL
from engine.paths import here
from engine.paths.opening import FOLDER, open_below, open_root
from engine.paths.policy import Judged, Purpose, Refused, Why

FIELD = "output_model_destination"


@contextmanager
def place_of(final: Path) -> Iterator[Path]:
    """The same place by way of an open descriptor of its folder, which is created if it is missing.

    Nobody can put a link in between. Raises BadConfig if the place is not allowed any more.
    """
    of_attempt = here.permits()
    if of_attempt is None:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield final
        return
    try:
        judged = of_attempt.policy.judge(str(final), Purpose.WRITE_MODEL)
        if judged.real != str(final):
            raise Refused(Why.CHANGED, str(final))
        folder = _made(judged)
    except Refused as refused:
        raise BadConfig([Problem(FIELD, str(refused))]) from refused
    try:
        yield Path(f"/proc/self/fd/{folder}") / final.name
    finally:
        os.close(folder)


def _made(judged: Judged) -> int:
    """A descriptor of the folder of a judged path; each missing folder on the way is created. Raises Refused."""
    place = open_root(judged.root.path)
    for part in judged.parts[:-1]:
        try:
            place, above = _deeper(place, part), place
        except NotADirectoryError as error:  # a link, or a file
            os.close(place)
            raise Refused(Why.CHANGED, judged.real) from error
        os.close(above)
    return place


def _deeper(folder: int, name: str) -> int:
    with suppress(FileExistsError):  # as usual
        os.mkdir(name, dir_fd=folder)
    try:
        return open_below(folder, [name], FOLDER)
    except OSError as error:
        raise NotADirectoryError(name) from error


def free_place(final: Path) -> Path:
    """The destination, or one with a number where somebody else's file or folder has its name by now."""
    number, found = 1, final
    while not _is_free(found):
        number += 1
        found = final.with_name(f"{final.stem}-{number}{final.suffix}")
    return found


def _is_free(final: Path) -> bool:
    """Whether nothing is there, or an earlier model of this site."""
    beside = final.with_name(final.name + PARTIAL)
    if os.path.lexists(beside) and not here.may_clear(final):
        return False
    return not os.path.lexists(final) or here.may_replace(final)
