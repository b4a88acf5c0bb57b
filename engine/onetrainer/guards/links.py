"""Links in folders of pictures: OneTrainer follows every link, so a link to a closed place ends the start."""

import os
from pathlib import Path

from engine.interface.errors import Problem
from engine.paths.policy import Purpose

MOST_NAMED = 3


def links_outside(concepts, policy):
    """A problem for each concept with links that lead outside the allowed folders."""
    for index, concept in enumerate(concepts or ()):
        path = getattr(concept, "path", "")
        if path and getattr(concept, "enabled", True) and Path(path).is_dir():
            found = [name for name in links_in(path) if not policy.allows(name, Purpose.READ_PICTURES)]
            if found:
                more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
                names = ", ".join(os.path.relpath(name, path) for name in found[:MOST_NAMED])
                yield Problem(
                    f"concepts.{index}.path",
                    f"has links that lead outside the allowed folders ({names}{more}): copy what they lead to.",
                )


def links_in(folder):
    """The paths of all links in a folder and its subfolders."""
    for place, folders, files in os.walk(folder):
        yield from (str(path) for one in (*folders, *files) if (path := Path(place, one)).is_symlink())
