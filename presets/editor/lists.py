"""The lists of a config as the editor shows them: an item is a line, with its fields if it is open."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.http import urlencode

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.schema import value_at
from presets.editor.fields import Field
from presets.editor.form import Form, Spec
from presets.editor.list_verbs import KINDS, SHAPES, ListKind, file_of, items_of
from presets.models import Draft
from web.errors import BadInput

ITEM = re.compile(r"([a-z_]+)\.(\d{1,4})")
LONGEST_LINE = 160


@dataclass(frozen=True)
class PagePart:
    """A part of the page that is sent anew when its state differs from the page's."""

    path: str
    state: str
    template: str
    context: JsonObject


class EditorOfLists(Protocol):
    """What a list needs of the editor that shows it."""

    draft: Draft
    opened: frozenset[str]
    form: Form

    @property
    def problems(self) -> list[Problem]: ...

    def field(self, spec: Spec, path: str = "") -> Field: ...


class ListField:
    """A list with its items; `problem` says why they cannot be shown."""

    def __init__(self, editor: EditorOfLists, field: Field) -> None:
        self.editor, self.field = editor, field
        self.kind: ListKind = KINDS[field.path]
        self.ratios = [(ratio, ratio.replace("x", ":")) for ratio in SHAPES] if self.kind.field == "samples" else []

    @property
    def is_list(self) -> bool:
        return True

    @functools.cached_property
    def file(self) -> str:
        return file_of(self.editor.draft, self.field.path)

    @functools.cached_property
    def _items_or_problem(self) -> tuple[list[Any], str]:
        try:
            return items_of(self.editor.draft, self.field.path), ""
        except BadInput as error:
            return [], next(iter(error.errors.values()), [str(error)])[0]

    @property
    def problem(self) -> str:
        return self._items_or_problem[1]

    @property
    def count_in_file(self) -> int:
        return len(self._items_or_problem[0])

    @functools.cached_property
    def items(self) -> list[ListItem]:
        """The config's items; the items of a file are only counted, until they are copied into the config."""
        return (
            [] if self.file else [ListItem(self, index, value) for index, value in enumerate(self._items_or_problem[0])]
        )

    @property
    def state(self) -> str:
        about = (len(self.items), self.file, self.count_in_file, self.problem, self.field.why_not, self.field.errors)
        return _state((*about, self.field.is_to_do))

    @property
    def parts(self) -> Iterator[PagePart]:
        """The list as a whole, and the parts within it that are sent separately."""
        yield PagePart(self.field.path, self.state, "list", {"list": self, "field": self.field})
        for item in self.items:
            yield PagePart(f"{item.path}:head", item.state, "list_head", {"item": item})
            yield PagePart(f"{item.path}:body", item.body_state, "list_body", {"item": item})
            if item.is_open and item.preview:
                yield PagePart(f"{item.path}:preview", item.preview_state, "list_preview", {"item": item})

    @property
    def item_fields(self) -> Iterator[Field]:
        for item in self.items:
            if item.is_open:
                for _title, fields in item.sections:
                    yield from fields


class ListItem:
    """One concept, sample or embedding."""

    def __init__(self, owner: ListField, index: int, value: object) -> None:
        self.list, self.index = owner, index
        self.value = value if isinstance(value, dict) else {}
        self.is_object = isinstance(value, dict)
        self.path = f"{owner.field.path}.{index}"
        self.id = f"{owner.field.path}-{index}"

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def is_open(self) -> bool:
        return self.path in self.list.editor.opened

    @property
    def on(self) -> bool:
        return self.value.get(self.list.kind.switch, True) is True

    @property
    def before(self) -> int | None:
        return self.index - 1 if self.index else None

    @property
    def after(self) -> int | None:
        return self.index + 1 if self.number < len(self.list.items) else None

    @property
    def title(self) -> str:
        kind = self.list.kind
        named = {"concepts": ("name",), "samples": ("prompt",)}.get(kind.field, ("placeholder",))
        text = next((str(self.value[name]) for name in named if self.value.get(name)), "")
        if not self.is_object:
            return "This is not an object: correct it in the JSON, or remove it"
        return " ".join(text.split())[:LONGEST_LINE] or f"{kind.one.capitalize()} {self.number}"

    @property
    def facts(self) -> str:
        """The second line: a concept's folder, or a sample's settings."""
        if self.list.kind.field == "concepts":
            return str(self.value.get("path") or "No folder chosen yet")[:LONGEST_LINE]
        if self.list.kind.field == "samples":
            shape = [str(self._shown(name)) for name in ("width", "height")]
            seed = "random seed" if self._shown("random_seed") is True else f"seed {self._shown('seed')}"
            return f"{' × '.join(shape)}, {self._shown('diffusion_steps')} steps, {seed}"[:LONGEST_LINE]
        return str(self.value.get("model_name") or "")[:LONGEST_LINE]

    def _shown(self, name: str) -> Any:
        spec = self.list.editor.form.specs.get(f"{self.list.field.path}.*.{name}")
        return self.value.get(name, spec.default if spec else None)

    @property
    def errors(self) -> int:
        return sum(one.is_error and f"{one.field}.".startswith(f"{self.path}.") for one in self.list.editor.problems)

    @property
    def preview(self) -> str:
        """The query of the address of the preview of the concept's folder."""
        path = self.value.get("path")
        if self.list.kind.field != "concepts" or not isinstance(path, str) or not path:
            return ""
        query = {"path": path.encode(errors="ignore").decode(), "engine": self.list.editor.draft.engine}
        if self.value.get("include_subdirectories") is True:
            query["include_subdirectories"] = "true"
        for name in ("prompt_source", "prompt_path"):
            text = value_at(self.value, f"text.{name}")
            if isinstance(text, str) and text:
                query[name] = text.encode(errors="ignore").decode()
        return urlencode(query)

    @functools.cached_property
    def sections(self) -> list[tuple[str, list[Field]]]:
        """The item's fields by section, without the switch, which is in the item's line."""
        editor, list_path = self.list.editor, self.list.field.path
        grouped: dict[str, list[Field]] = {}
        for spec in editor.form.items_of(list_path):
            if spec.path != f"{list_path}.*.{self.list.kind.switch}":
                path = spec.path.replace("*", str(self.index), 1)
                grouped.setdefault(spec.section, []).append(editor.field(spec, path))
        return list(grouped.items())

    @property
    def state(self) -> str:
        about = (self.title, self.facts, self.on, self.is_open, self.errors, self.preview, len(self.list.items))
        return _state(about)

    @property
    def body_state(self) -> str:
        return "open" if self.is_open else "closed"

    @property
    def preview_state(self) -> str:
        return _state(self.preview)


def _state(seen: Any) -> str:
    return f"{zlib.crc32(repr(seen).encode()):x}"


def paths_of_items(paths: Any) -> set[str]:
    """The paths of open items that the page sent; invalid ones are left out."""
    if not isinstance(paths, list):
        return set()
    return {path for path in paths if isinstance(path, str) and (match := ITEM.fullmatch(path)) and match[1] in KINDS}


def opened_after(opened: Iterable[str], command: str, count: int) -> set[str]:
    """The items that are open after a step on a list of `count` items: the same ones, and a new item."""
    field, verb, *arguments = command.split(":")
    numbers = [int(path) for path in arguments if path.isdecimal()]
    order: list[int | None] = [*range(count)]
    if verb == "add":
        order.append(None)
    elif verb == "clone":
        order.insert(numbers[0] + 1, None)
    elif verb == "remove":
        del order[numbers[0]]
    elif verb == "move":
        order.insert(numbers[1], order.pop(numbers[0]))
    opened = set(opened)
    others = {path for path in opened if not path.startswith(f"{field}.")}
    return others | {f"{field}.{new}" for new, old in enumerate(order) if old is None or f"{field}.{old}" in opened}
