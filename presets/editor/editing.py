"""What the editor's page sends, done to a draft: typed fields, facts, resets, undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.schema import value_at
from presets.config.dotted import MISSING
from presets.editor import drafts
from presets.editor import list_verbs as lists
from presets.editor.form import Spec
from presets.editor.lists import opened_after, paths_of_items
from presets.editor.page import Editor
from presets.editor.values import value_of
from presets.models import Draft
from web.errors import BadInput, StaleDraft

FIELD, FACT = "field:", "fact:"
MOST_OWN = 2  # revisions that one request of a page makes: of facts and of changes
HARMLESS = ("save", "check")  # buttons that change nothing by themselves
CHANGE, RESET = gettext_noop("Change %(what)s"), gettext_noop("Reset %(what)s")
VERBS: dict[str, Callable[[Draft, int], Draft]] = {"undo": drafts.undo, "redo": drafts.redo}


class Unsaved(StaleDraft):
    """The draft was changed elsewhere; `typed` is what was not taken, by label."""

    def __init__(self, typed: dict[str, str]):
        super().__init__()
        self.typed = typed


def take_form(draft: Draft, data: QueryDict) -> None:
    """Store what differs in a whole form.

    Where the draft has moved on meanwhile, nothing is stored and no button obeyed, since what the person saw is not
    what there is: raises Unsaved with what was typed.
    """
    revision = whole(data.get("revision"))
    editor = Editor(draft)
    typed = list(_typed(editor, data))
    facts = {name: text for name, text in _facts(data) if text != draft.facts.get(name, "")}
    if revision != draft.revision and (typed or facts or data.get("do", "save") not in HARMLESS):
        raise Unsaved({**facts, **{spec.title: text for _, spec, text in typed}})
    if facts:
        drafts.change_facts(draft, draft.revision, facts)
    if typed:
        changes = [{"field": path, "value": value_of(text, spec)} for path, spec, text in typed]
        drafts.apply(draft, draft.revision, changes, _label(CHANGE, [spec for _, spec, _ in typed]))


def _typed(editor: Editor, data: QueryDict) -> Iterator[tuple[str, Spec, str]]:
    """(path, field, text) of each input whose text is not what the draft has."""
    for name in data:
        path = name.removeprefix(FIELD)
        spec = editor.form.spec_of(path) if name.startswith(FIELD) else None
        text = str(data[name]).replace("\r\n", "\n")
        if spec is not None and text != _sent_untouched(spec, editor.field(spec, path).text):
            yield path, spec, text


def _sent_untouched(spec: Spec, text: str) -> str:
    """What the field's input sends where nobody touched it: a switch that is neither on nor off looks off."""
    return "false" if spec.kind == "switch" and text != "true" else text


def _facts(data: QueryDict) -> Iterator[tuple[str, str]]:
    for name in data:
        if name.startswith(FACT):
            yield name.removeprefix(FACT), str(data[name]).replace("\r\n", "\n")


def take_changes(draft: Draft, asked: dict[str, Any]) -> set[str]:
    """Do what a script of the page asks: `changes`, each {"field", "text" or "value" or "unset"}, `facts`, or `do`.

    `list` is a step on a list, with its `text`. Returns the items of lists that are open then, of those in `open`.
    """
    opened = paths_of_items(asked.get("open"))
    revision = _known(draft, asked)
    if facts := asked.get("facts"):
        drafts.change_facts(draft, revision, _object(facts, "facts"))
        revision = draft.revision
    if changes := asked.get("changes"):
        read = [_read(Editor(draft), change) for change in _list(changes)]
        label = str(asked.get("label") or "") or _label_of(Editor(draft), read)
        drafts.apply(draft, revision, read, label)
    if path := asked.get("reset"):
        reset(draft, revision, str(path), bool(asked.get("to_start")))
    if command := asked.get("list"):
        opened = _step(draft, revision, str(command), str(asked.get("text", "")), opened)
    if verb := VERBS.get(str(asked.get("do", ""))):
        verb(draft, revision)
    return opened


def _step(draft: Draft, revision: int, command: str, text: str, opened: set[str]) -> set[str]:
    field = command.partition(":")[0]
    count = len(lists.items_of(draft, field)) if field in lists.KINDS else 0
    lists.do(draft, revision, command, text)
    return opened_after(opened, command, count)


def _known(draft: Draft, asked: dict[str, Any]) -> int:
    """The revision that the page knows.

    A page that goes away sends its last words while a change of its own may still be on the way: `own` says by how
    much that moves the draft on, so that it is not taken for a change of somebody else's.
    """
    revision, own = whole(asked.get("revision")), asked.get("own")
    reach = own if isinstance(own, int) and 0 < own <= MOST_OWN else 0
    return draft.revision if revision <= draft.revision <= revision + reach else revision


def _read(editor: Editor, change: Any) -> dict[str, Any]:
    change = _object(change, "changes")
    field = str(change.get("field", ""))
    if "text" not in change:
        return change
    spec = editor.form.spec_of(field)
    if spec is None:
        raise BadInput(_("There is no field %(field)s: load the page again.") % {"field": field[:100]})
    return {"field": field, "value": value_of(str(change["text"]), spec)}


def reset(draft: Draft, revision: int, path: str, to_start: bool = False) -> Draft:
    """Give a field the default back, or what the preset or run has that the draft began with."""
    value = value_at((draft.facts.get("base") or {}).get("config", {}), path, MISSING) if to_start else MISSING
    change = {"field": path, "unset": True} if value is MISSING else {"field": path, "value": value}
    return drafts.apply(draft, revision, [change], _label_of(Editor(draft), [change], RESET))


def _label_of(editor: Editor, changes: list[dict[str, Any]], verb: str = "") -> str:
    verb = verb or (RESET if all("unset" in change for change in changes) else CHANGE)
    specs = [editor.form.spec_of(str(change.get("field", ""))) for change in changes]
    return _label(verb, [spec for spec in specs if spec])


def _label(verb: str, specs: list[Spec]) -> str:
    if not specs:
        return ""
    what = specs[0].title if len(specs) == 1 else _("%(count)s fields") % {"count": len(specs)}
    return _(verb) % {"what": what}


def whole(text: Any) -> int:
    """A revision as it was sent; raises BadInput."""
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 2**31:
        return text
    if isinstance(text, str) and text.isdecimal() and len(text) < 10:
        return int(text)
    raise BadInput(_("The revision is missing or no number: load the page again."))


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(_("%(name)s holds no object: load the page again.") % {"name": name})
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput("changes is a list: load the page again.")
    return value
