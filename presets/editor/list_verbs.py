"""The verbs of a config's lists, each one step of a draft: add, clone, remove, switch on and off, move, and a few more.

A verb comes as a command: `concepts:clone:1`, `samples:move:3:0`, `samples:aspect:0:16x9`; what is typed or chosen with
it, such as a folder or prompts, comes beside it as a text.
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
    """What the items of a list are called, which of their fields switches them, and which file may hold them."""

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
    """Obey a command. Raises StaleDraft, and BadInput for one that makes no sense now."""
    field, _colon, rest = command.partition(":")
    name, *arguments = rest.split(":")
    kind, verb = KINDS.get(field), VERBS.get(name)
    if kind is None or verb is None:
        raise BadInput(
            _("There is no such step as %(command)s: load the page again.") % {"command": f"{command[:100]!r}"}
        )
    items, label = verb(_Request(draft, kind, items_of(draft, field), arguments, text.strip()))
    if len(items) > MOST_ITEMS:
        raise BadInput(
            _("A config keeps at most %(most_items)s %(many)s: remove some first.")
            % {"most_items": f"{MOST_ITEMS:,}", "many": f"{kind.one}s"}
        )
    return drafts.replace_config(draft, revision, with_value(draft.config, field, items), label)


def items_of(draft: Draft, field: str) -> list[Any]:
    """The list as it is trained with: the config's own, or what the file holds that it names. Raises BadInput."""
    config = configs.full_config(draft.engine, draft.config)
    if not config.get(field):
        config = configs.with_inline_files(config)
    items = config.get(field)
    if items is not None and not isinstance(items, list):
        raise BadInput(_("%(field)s is no list: mend it in the JSON, or give it its default back.") % {"field": field})
    return list(items or [])


def file_of(draft: Draft, field: str) -> str:
    """The file that holds the list in place of the config; empty where there is none."""
    kind = KINDS[field]
    config = configs.full_config(draft.engine, draft.config)
    name = config.get(kind.file_field) if kind.file_field else None
    if config.get(field) or not isinstance(name, str) or not name:
        return ""
    is_usual = name == configs.defaults(draft.engine).get(kind.file_field)
    return "" if is_usual and not Path(name).is_file() else name


# -- verbs: each returns the new list and what undo calls the step -----------------------------------------------------


@dataclass(frozen=True)
class _Request:
    draft: Draft
    kind: ListKind
    items: list[Any]
    arguments: list[str]
    text: str

    def number(self, place: int = 0) -> int:
        """An item's number; raises BadInput where there is no such item."""
        text = self.arguments[place] if place < len(self.arguments) else ""
        number = int(text) if text.isdecimal() and len(text) < 9 else len(self.items)
        if number >= len(self.items):
            raise BadInput(
                _("There is no such %(one)s any more: look at the newest state of the list.") % {"one": self.kind.one}
            )
        return number

    def item(self) -> Item:
        found = self.items[self.number()]
        if not isinstance(found, dict):
            raise BadInput(_("This %(one)s is no object: mend it in the JSON.") % {"one": self.kind.one})
        return found

    def label(self, sentence: str) -> str:
        return sentence % {"one": self.kind.one, "number": self.number() + 1}

    def changed(self, **fields: Any) -> list[Any]:
        number = self.number()
        return [*self.items[:number], {**self.item(), **fields}, *self.items[number + 1 :]]


Result = tuple[list[Any], str]


def _add(asked: _Request) -> Result:
    makers: dict[str, Callable[[_Request], Item]] = {"concepts": _concept, "samples": _sample}
    made = makers.get(asked.kind.field, _embedding)(asked)
    return [*asked.items, made], _("Add %(one)s %(number)s") % {"one": asked.kind.one, "number": len(asked.items) + 1}


def _concept(asked: _Request) -> Item:
    """A concept is named by its folder."""
    return {"name": Path(asked.text).name, "path": asked.text, "enabled": True} if asked.text else {"enabled": True}


def _sample(asked: _Request) -> Item:
    """Drawn as the last one is, or at the run's resolution."""
    last = next((item for item in reversed(asked.items) if isinstance(item, dict)), None)
    if last:
        return {**copy.deepcopy(last), "enabled": True, "prompt": asked.text}
    edge = resolution_of(asked.draft)
    return {"enabled": True, "prompt": asked.text, "width": edge, "height": edge}


def _embedding(asked: _Request) -> Item:
    taken = {item.get("placeholder") for item in asked.items if isinstance(item, dict)}
    names = (f"<embedding{number or ''}>" for number in range(MOST_ITEMS + 2))
    return {"uuid": str(uuid.uuid4()), "placeholder": next(name for name in names if name not in taken)}


def _add_subfolders(asked: _Request) -> Result:
    """Each sub-folder that holds pictures becomes a concept."""
    folder = browse.list_folder(asked.text)
    known = {item.get("path") for item in asked.items if isinstance(item, dict)}
    found = [entry for entry in folder.entries if entry.is_folder and entry.pictures != 0 and entry.path not in known]
    if not found:
        raise BadInput(_("None of its sub-folders holds pictures that are not in the list yet: choose another folder."))
    if len(found) > MOST_AT_ONCE:
        raise BadInput(
            _("There are %(found)s sub-folders, and %(most_at_once)s can be added at once: choose another.")
            % {"found": len(found), "most_at_once": MOST_AT_ONCE}
        )
    made = [{"name": entry.name, "path": entry.path, "enabled": True} for entry in found]
    return [*asked.items, *made], ngettext("Add %d concept", "Add %d concepts", len(made)) % len(made)


def _add_prompts(asked: _Request) -> Result:
    """Each line becomes a sample."""
    lines = [line.strip() for line in asked.text.splitlines() if line.strip()]
    if not lines:
        raise BadInput(_("Type at least one prompt, each in a line of its own."))
    if len(lines) > MOST_AT_ONCE:
        raise BadInput(
            _("These are %(lines)s prompts, and %(most_at_once)s can be added at once: take fewer.")
            % {"lines": len(lines), "most_at_once": MOST_AT_ONCE}
        )
    like = _sample(asked)
    made = [{**copy.deepcopy(like), "prompt": line} for line in lines]
    return [*asked.items, *made], ngettext("Add %d sample", "Add %d samples", len(made)) % len(made)


def _clone(asked: _Request) -> Result:
    number, made = asked.number(), copy.deepcopy(asked.item())
    if "uuid" in made:
        made["uuid"] = str(uuid.uuid4())
    if asked.kind.field == "concepts" and made.get("name"):
        made["name"] = f"{made['name']} copy"[:200]
    return [*asked.items[: number + 1], made, *asked.items[number + 1 :]], asked.label(_("Clone %(one)s %(number)s"))


def _remove(asked: _Request) -> Result:
    number = asked.number()
    return [*asked.items[:number], *asked.items[number + 1 :]], asked.label(_("Remove %(one)s %(number)s"))


def _toggle(asked: _Request) -> Result:
    on = asked.item().get(asked.kind.switch, True) is not True
    return asked.changed(**{asked.kind.switch: on}), asked.label(
        _("Enable %(one)s %(number)s") if on else _("Disable %(one)s %(number)s")
    )


def _move(asked: _Request) -> Result:
    """To the place that the second number names."""
    number, to = asked.number(), asked.number(1)
    rest = [*asked.items[:number], *asked.items[number + 1 :]]
    return [*rest[:to], asked.items[number], *rest[to:]], asked.label(_("Move %(one)s %(number)s"))


def _aspect(asked: _Request) -> Result:
    ratio = asked.arguments[1] if len(asked.arguments) > 1 else ""
    if ratio not in SHAPES:
        raise BadInput(
            _("The shapes are %(ratios)s: choose one of them.") % {"ratios": ", ".join(SHAPES).replace("x", ":")}
        )
    width, height = size_of(SHAPES[ratio], resolution_of(asked.draft))
    return asked.changed(width=width, height=height), asked.label(_("Shape %(one)s %(number)s"))


def _seed(asked: _Request) -> Result:
    return asked.changed(seed=random.randrange(2**31)), asked.label(_("New seed for %(one)s %(number)s"))


def _take_in(asked: _Request) -> Result:
    """What the file holds becomes the config's own."""
    return asked.items, _("Take %(many)s into the config") % {"many": f"{asked.kind.one}s"}


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
    """The edge of the square that the run trains at; the first where it names several."""
    text = str(configs.full_config(draft.engine, draft.config).get("resolution", ""))
    found = FIRST_NUMBER.search(text)
    return max(64, min(4096, int(found[0]))) if found else 512
