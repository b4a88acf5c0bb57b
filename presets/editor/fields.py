"""The fields of the editor as its pages show them."""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass

from engine.interface.errors import Problem
from presets.editor.form import Choice, Form, Spec


def anchor(path: str) -> str:
    """The id of a field's element in the page."""
    return f"field-{path.replace('.', '-')}"


@dataclass(frozen=True)
class Field:
    """One input as the page shows it; `text` is its value, or the typed text if that is not saved."""

    spec: Spec
    path: str
    text: str
    choices: tuple[Choice, ...] = ()
    why_not: str = ""
    changed: bool = False
    default: str = ""
    start: str = ""  # the value of the draft's start, if it is neither
    start_title: str = ""
    is_to_do: bool = False  # an error of a value that nobody has typed
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def html_id(self) -> str:
        return anchor(self.path)

    @property
    def on(self) -> bool:
        return self.text == "true"

    @property
    def is_wide(self) -> bool:
        return self.spec.kind in ("json", "list", "multiline") or bool(self.spec.browse)

    @property
    def is_ignored(self) -> bool:
        """True if the field would apply, but this trainer does nothing with it."""
        return bool(self.spec.note) and not self.why_not

    @functools.cached_property
    def state(self) -> str:
        """A checksum that changes when the page must show the field anew."""
        seen = (self.text, self.choices, self.why_not, self.changed, self.default, self.start, self.errors)
        return f"{zlib.crc32(repr((seen, self.warnings, self.is_to_do)).encode()):x}"


@dataclass(frozen=True)
class Shown:
    """A problem in the list of problems, with its link."""

    field: str
    label: str
    message: str
    is_error: bool
    tab: str
    target: str
    is_to_do: bool = False

    @property
    def anchor(self) -> str:
        return anchor(self.target)


def placed(form: Form, problem: Problem, is_to_do: bool = False) -> Shown:
    """The problem with the field's label, and the tab and field that it links to."""
    spec = form.nearest(problem.field)
    label = spec.title if spec else problem.field or "The config"
    numbers = [str(int(part) + 1) for part in problem.field.split(".") if part.isdecimal()]
    if spec and numbers:
        label = f"{problem.field.partition('.')[0].replace('_', ' ').capitalize()} {numbers[0]}, {label}"
    target = spec.path.partition(".*")[0] if spec else ""
    tab = spec.tab if spec else ""
    return Shown(problem.field, label, problem.message, problem.is_error, tab, target, is_to_do)


@dataclass(frozen=True)
class TabLink:
    id: str
    title: str
    active: bool
    errors: int
    to_do: int
    changed: int
