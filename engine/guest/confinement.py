"""Confine this process to the files of its own attempt, before anything else is done.

The worker writes the list into the attempt's spec as `guest`: `read` and `write`, paths that may be used with all that
is below them, and `private` and `hidden`, which stay closed even if one of the others contains them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from engine.guest import capabilities, landlock, places
from engine.interface.confinement import Confinement

Guest = dict[str, list[str]]
SPEC_FILE = "spec.json"
OFF = "This process can reach all files of the site's user, because CONFINE_ENGINE is off."


def confine(folder: Path) -> Confinement:
    """Confine this process as the spec in the attempt's folder says."""
    try:
        guest = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8")).get("guest")
    except (OSError, ValueError, AttributeError) as error:
        return _failed(f"the attempt's spec cannot be read: {error}")
    return confine_to(guest)


def confine_to(guest: Guest | None) -> Confinement:
    """Confine this process to these files; a failure is reported, and the training continues without."""
    if not isinstance(guest, dict):
        return Confinement(False, OFF)
    if (running := landlock.threads()) > 1:
        return _failed(f"{running} threads run already, and the kernel limits only one")
    try:
        found = landlock.restrict(_rules(guest))
        capabilities.drop()
    except OSError as error:
        return _failed(str(error))
    return Confinement(True, f"This process can reach only the files of its own run (Landlock, version {found}).")


def _failed(reason: str) -> Confinement:
    sentence = (
        f"The kernel does not limit the files that this training can reach ({reason}), so it can reach those of the "
        "site's user: see docs/security.md, or set CONFINE_ENGINE=false to accept it."
    )
    return Confinement(False, sentence, is_a_failure=True)


def _rules(guest: Guest) -> Iterator[tuple[str, int]]:
    private, hidden = guest.get("private", []), guest.get("hidden", [])
    named = [(path, landlock.READ) for path in guest.get("read", [])]
    named += [(path, landlock.WRITE) for path in guest.get("write", [])]
    for path, rights in (*places.of_every_engine(), *named):
        if os.path.lexists(path):
            yield from ((one, rights) for one in places.without(path, private, hidden))
