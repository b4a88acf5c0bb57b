"""Which folders are open, and for what: the question is answered for a path with all its links resolved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on every usual file system


class Purpose(str, Enum):
    """What a path is for."""

    READ_PICTURES = "read_pictures"
    READ_TEXT = "read_text"
    READ_CONFIG = "read_config"
    LOAD_MODEL = "load_model"
    WRITE_MODEL = "write_model"
    WRITE_FOLDER = "write_folder"
    LIST = "list"
    SEND = "send"  # a file of the site's own records, to a browser


WRITES = frozenset({Purpose.WRITE_MODEL, Purpose.WRITE_FOLDER})
READS = frozenset(Purpose) - WRITES
ALL = frozenset(Purpose)


class Why(str, Enum):
    """Why a path is refused."""

    NUL = "nul"
    CHARACTERS = "characters"  # that no file's name can have
    UNUSABLE = "unusable"  # too long
    OUTSIDE = "outside"
    HIDDEN = "hidden"
    CLOSED = "closed"  # the site's own
    CHANGED = "changed"  # it leads elsewhere than when it was judged
    TAKEN = "taken"  # somebody else's file or folder is there
    KIND = "kind"  # neither a file nor a folder, or the other of the two


SENTENCES = {
    Why.NUL: "A path cannot contain NUL characters.",
    Why.CHARACTERS: "This path has characters that are not possible in a file name: choose another.",
    Why.UNUSABLE: "{path} is not a usable path: choose another.",
    Why.OUTSIDE: "{path} is outside the allowed folders: move it there, or ask an admin to add its folder.",
    Why.HIDDEN: "{path} is hidden, or in a hidden folder: move it, or have an admin name its folder in ALLOWED_ROOTS.",
    Why.CLOSED: "{path} belongs to the site itself: choose another.",
    Why.CHANGED: "{path} leads elsewhere than when it was checked: start again.",
    Why.TAKEN: "{path} exists, and is no earlier model of this site: choose another name.",
    Why.KIND: "{path} is not a file: choose another.",
}


class Refused(Exception):
    """A path that may not be used; `path` is as it was given."""

    def __init__(self, why: Why, path: str) -> None:
        self.why, self.path = why, path[:200]
        super().__init__(SENTENCES[why].format(path=self.path))


@dataclass(frozen=True)
class Root:
    """A folder, by its real path, that is open for some purposes with all that is in it.

    `closed` are patterns of paths within it, such as `*/attempts`, that are open for nothing; hidden files are open
    only if `hidden`. A root without purposes closes a folder that another root holds.
    """

    path: str
    purposes: frozenset[Purpose] = ALL
    closed: tuple[str, ...] = ()
    hidden: bool = False

    def holds(self, real: str) -> bool:
        return real == self.path or real.startswith(self.path.rstrip("/") + "/")

    def within(self, real: str) -> list[str]:
        """The names of a path from this root down."""
        return [part for part in real[len(self.path.rstrip("/")) :].split("/") if part]

    def to_dict(self) -> dict[str, Any]:
        purposes = sorted(one.value for one in self.purposes)
        return {"path": self.path, "purposes": purposes, "closed": list(self.closed), "hidden": self.hidden}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Root:
        purposes = frozenset(map(Purpose, values["purposes"]))
        return cls(values["path"], purposes, tuple(values["closed"]), values["hidden"])

    def refusal(self, real: str, purpose: Purpose) -> Why | None:
        """Why a path within it is not open for this purpose."""
        parts = self.within(real)
        if not self.hidden and any(part.startswith(".") for part in parts):
            return Why.HIDDEN
        is_closed = purpose not in self.purposes or any(_is_at(parts, pattern) for pattern in self.closed)
        return Why.CLOSED if is_closed else None


@dataclass(frozen=True)
class Judged:
    """A path that may be used: `real` is where it leads, in `root`."""

    real: str
    root: Root
    purpose: Purpose

    @property
    def parts(self) -> list[str]:
        return self.root.within(self.real)


@dataclass(frozen=True)
class Policy:
    """The open folders; of two that hold a path, the inner one decides, and of two equal ones either may allow it."""

    roots: tuple[Root, ...] = ()
    allows_pickles: bool = False
    hub_owners: tuple[str, ...] = field(default=())  # empty for all

    def judge(self, path: str, purpose: Purpose, base: str = "/") -> Judged:
        """Resolve the path, relative to `base`, and judge where it leads. Raises Refused."""
        return self.judge_real(real_path(path, base), purpose, path)

    def judge_real(self, real: str, purpose: Purpose, given: str = "") -> Judged:
        """Judge a path without links. Raises Refused."""
        holding = [root for root in self.roots if root.holds(real)]
        deepest = max((len(root.path) for root in holding), default=0)
        reasons = {root: root.refusal(real, purpose) for root in holding if len(root.path) == deepest}
        if root := next((root for root, why in reasons.items() if why is None), None):
            return Judged(real, root, purpose)
        raise Refused(next(filter(None, reasons.values()), Why.OUTSIDE), given or real)

    def allows(self, path: str, purpose: Purpose) -> bool:
        try:
            self.judge(path, purpose)
        except Refused:
            return False
        return True

    def with_roots(self, roots: Iterable[Root]) -> Policy:
        return Policy((*roots, *self.roots), self.allows_pickles, self.hub_owners)

    def to_dict(self) -> dict[str, Any]:
        return {
            "roots": [root.to_dict() for root in self.roots],
            "allows_pickles": self.allows_pickles,
            "hub_owners": list(self.hub_owners),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Policy:
        roots = tuple(map(Root.from_dict, values["roots"]))
        return cls(roots, values["allows_pickles"], tuple(values["hub_owners"]))


def _is_at(parts: Sequence[str], pattern: str) -> bool:
    """Whether the pattern names this path or a folder above it."""
    wanted = pattern.split("/")
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


def is_absolute(path: str) -> bool:
    """Whether the path means the same wherever it is used."""
    return os.path.isabs(expanded(path))


def expanded(path: str) -> str:
    """The path with the home folder in place of `~`."""
    return os.path.expanduser(path)


def real_path(path: str, base: str = "/") -> str:
    """Where a path leads: `~`, `..` and all links resolved; a missing end is kept. Raises Refused."""
    if "\x00" in path:
        raise Refused(Why.NUL, path)
    try:
        encoded = os.fsencode(path)
        if len(encoded) > LONGEST_PATH or any(len(one) > LONGEST_NAME for one in encoded.split(b"/")):
            raise Refused(Why.UNUSABLE, path)
        return os.path.realpath(os.path.join(base, expanded(path)))
    except UnicodeEncodeError as error:
        raise Refused(Why.CHARACTERS, path) from error
    except OSError as error:
        raise Refused(Why.UNUSABLE, path) from error
