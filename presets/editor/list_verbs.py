"""The verbs of a config's lists, each one step of a draft: add, clone, remove, switch on and off, move, and a few more.

A verb is sent as a command: `concepts:clone:1`, `samples:move:3:0`, `samples:aspect:0:16x9`; a typed text, such as a
folder or prompts, is sent beside it.
"""

from __future__ import annotations

import copy
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from presets.config import configs
from presets.config.dotted import with_value
from presets.config.files import with_inline_files
from presets.config.shapes import RATIOS, size_of
from presets.editor import drafts
from presets.folders import browse
from presets.models import Draft
from web.errors import BadInput

MOST_ITEMS = configs.LONGEST_LIST
MOST_AT_ONCE = 200  # folders or prompts
SHAPES = {f"{wide}x{high}": (wide, high) for wide, high in RATIOS}
FIRST_NUMBER = re.compile(r"\d{1,5}")
Item = dict[str, Any]


@dataclass(frozen=True)
class ListKind:
    """A list's names for its items, the items' on/off field, and the field of the file that may hold them."""

    field: str
    one: Any
    switch: str = "enabled"
    file_field: str = ""


KINDS = {
    "concepts": ListKind("concepts", gettext_lazy("concept"), file_field="concept_file_name"),
    "samples": ListKind("samples", gettext_lazy("sample"), file_field="sample_definition_file_name"),
    "additional_embeddings": ListKind("additional_embeddings", gettext_lazy("embedding"), switch="train"),
}


def do(draft: Draft, revision: int, command: str, text: str = "") -> Draft:
    """Carry out a command. Raises StaleDraft, and BadInput if the command does not fit the list."""
    field, _colon, rest = command.partition(":")
    name, *arguments = rest.split(":")
    kind, verb = KINDS.get(field), VERBS.get(name)
    if kind is None or verb is None:
        raise BadInput(_("There is no step %(command)s: reload the page.") % {"command": f"{command[:100]!r}"})
    items, label = verb(_Request(draft, kind, items_of(draft, field), arguments, text.strip()))
    if len(items) > MOST_ITEMS:
        raise BadInput(
            _("A config keeps at most %(most_items)s %(many)s: remove some first.")
            % {"most_items": f"{MOST_ITEMS:,}", "many": f"{kind.one}s"}
        )
    return drafts.replace_config(draft, revision, with_value(draft.config, field, items), label)


def items_of(draft: Draft, field: str) -> list[Any]:
    """The list that the run trains with: the config's own, or that of the file that it names. Raises BadInput."""
    config = configs.full_config(draft.engine, draft.config)
    if not config.get(field):
        config = with_inline_files(config)
    items = config.get(field)
    if items is not None and not isinstance(items, list):
        raise BadInput(
            _("%(field)s is not a list: correct it in the JSON, or reset it to its default.") % {"field": field}
        )
    return list(items or [])


def file_of(draft: Draft, field: str) -> str:
    """The file that holds the list instead of the config; empty if there is none."""
    kind = KINDS[field]
    config = configs.full_config(draft.engine, draft.config)
    name = config.get(kind.file_field) if kind.file_field else None
    if config.get(field) or not isinstance(name, str) or not name:
        return ""
    is_usual = name == configs.defaults(draft.engine).get(kind.file_field)
    return "" if is_usual and not Path(name).is_file() else name


# -- verbs: each returns the new list and the step's title for undo ----------------------------------------------------


@dataclass(frozen=True)
class _Request:
    draft: Draft
    kind: ListKind
    items: list[Any]
    arguments: list[str]
    text: str

    def number(self, place: int = 0) -> int:
        """An item's number; raises BadInput if there is no such item."""
        text = self.arguments[place] if place < len(self.arguments) else ""
        number = int(text) if text.isdecimal() and len(text) < 9 else len(self.items)
        if number >= len(self.items):
            raise BadInput(
                _("This %(one)s does not exist any more: look at the newest state of the list.")
                % {"one": self.kind.one}
            )
        return number

    def item(self) -> Item:
        item = self.items[self.number()]
        if not isinstance(item, dict):
            raise BadInput(_("This %(one)s is not an object: correct it in the JSON.") % {"one": self.kind.one})
        return item

    def label(self, sentence: str) -> str:
        return sentence % {"one": self.kind.one, "number": self.number() + 1}

    def changed(self, **fields: Any) -> list[Any]:
        number = self.number()
        return [*self.items[:number], {**self.item(), **fields}, *self.items[number + 1 :]]


Result = tuple[list[Any], str]


def _add(request: _Request) -> Result:
    makers: dict[str, Callable[[_Request], Item]] = {"concepts": _concept, "samples": _sample}
    item = makers.get(request.kind.field, _embedding)(request)
    return [*request.items, item], _("Add %(one)s %(number)s") % {
        "one": request.kind.one,
        "number": len(request.items) + 1,
    }


def _concept(request: _Request) -> Item:
    """A concept named after its folder."""
    return (
        {"name": Path(request.text).name, "path": request.text, "enabled": True} if request.text else {"enabled": True}
    )


def _sample(request: _Request) -> Item:
    """A sample with the settings of the last sample, or at the run's resolution."""
    last = next((item for item in reversed(request.items) if isinstance(item, dict)), None)
    if last:
        return {**copy.deepcopy(last), "enabled": True, "prompt": request.text}
    edge = resolution_of(request.draft)
    return {"enabled": True, "prompt": request.text, "width": edge, "height": edge}


def _embedding(request: _Request) -> Item:
    taken = {item.get("placeholder") for item in request.items if isinstance(item, dict)}
    names = (f"<embedding{number or ''}>" for number in range(MOST_ITEMS + 2))
    return {"uuid": str(uuid.uuid4()), "placeholder": next(name for name in names if name not in taken)}


def _add_subfolders(request: _Request) -> Result:
    """Add each sub-folder with pictures as a concept."""
    folder = browse.list_folder(request.text)
    known = {item.get("path") for item in request.items if isinstance(item, dict)}
    folders = [entry for entry in folder.entries if entry.is_folder and entry.pictures != 0 and entry.path not in known]
    if not folders:
        raise BadInput(_("No sub-folder has pictures that are not in the list yet: choose another folder."))
    if len(folders) > MOST_AT_ONCE:
        raise BadInput(
            _("There are %(found)s sub-folders, but at most %(most_at_once)s fit at once: choose another folder.")
            % {"found": len(folders), "most_at_once": MOST_AT_ONCE}
        )
    concepts = [{"name": entry.name, "path": entry.path, "enabled": True} for entry in folders]
    return [*request.items, *concepts], ngettext("Add %d concept", "Add %d concepts", len(concepts)) % len(concepts)


def _add_prompts(request: _Request) -> Result:
    """Add each line as a sample."""
    lines = [line.strip() for line in request.text.splitlines() if line.strip()]
    if not lines:
        raise BadInput(_("Type at least one prompt, one on each line."))
    if len(lines) > MOST_AT_ONCE:
        raise BadInput(
            _("There are %(lines)s prompts, but at most %(most_at_once)s can be added at once: remove some.")
            % {"lines": len(lines), "most_at_once": MOST_AT_ONCE}
        )
    like = _sample(request)
    samples = [{**copy.deepcopy(like), "prompt": line} for line in lines]
    return [*request.items, *samples], ngettext("Add %d sample", "Add %d samples", len(samples)) % len(samples)


def _clone(request: _Request) -> Result:
    number, clone = request.number(), copy.deepcopy(request.item())
    if "uuid" in clone:
        clone["uuid"] = str(uuid.uuid4())
    if request.kind.field == "concepts" and clone.get("name"):
        clone["name"] = f"{clone['name']} copy"[:200]
    return [*request.items[: number + 1], clone, *request.items[number + 1 :]], request.label(
        _("Clone %(one)s %(number)s")
    )


def _remove(request: _Request) -> Result:
    number = request.number()
    return [*request.items[:number], *request.items[number + 1 :]], request.label(_("Remove %(one)s %(number)s"))


def _toggle(request: _Request) -> Result:
    on = request.item().get(request.kind.switch, True) is not True
    return request.changed(**{request.kind.switch: on}), request.label(
        _("Enable %(one)s %(number)s") if on else _("Disable %(one)s %(number)s")
    )


def _move(request: _Request) -> Result:
    """Move the item to the position given by the second number."""
    number, to = request.number(), request.number(1)
    rest = [*request.items[:number], *request.items[number + 1 :]]
    return [*rest[:to], request.items[number], *rest[to:]], request.label(_("Move %(one)s %(number)s"))


def _aspect(request: _Request) -> Result:
    ratio = request.arguments[1] if len(request.arguments) > 1 else ""
    if ratio not in SHAPES:
        raise BadInput(
            _("The aspect ratios are %(ratios)s: choose one of them.") % {"ratios": ", ".join(SHAPES).replace("x", ":")}
        )
    width, height = size_of(SHAPES[ratio], resolution_of(request.draft))
    return request.changed(width=width, height=height), request.label(
        _("Change the aspect ratio of %(one)s %(number)s")
    )


def _seed(request: _Request) -> Result:
    return request.changed(seed=random.randrange(2**31)), request.label(_("New seed for %(one)s %(number)s"))


def _take_in(request: _Request) -> Result:
    """Copy the file's items into the config."""
    return request.items, _("Copy %(many)s into the config") % {"many": f"{request.kind.one}s"}


VERBS: dict[str, Callable[[_Request], Result]] = {
    "add": _add,
    "subfolders": _add_subfolders,
    "prompts": _add_prompts,
    "clone": _clone,
    "remove": _remove,
    "toggle": _toggle,
    "move": _move,
    "aspect": _aspect,
    "seed": _seed,
    "take-in": _take_in,
}


def resolution_of(draft: Draft) -> int:
    """The edge of the square that the run trains at; the first of several resolutions."""
    text = str(configs.full_config(draft.engine, draft.config).get("resolution", ""))
    number = FIRST_NUMBER.search(text)
    return max(64, min(4096, int(number[0]))) if number else 512
