"""Apply to a draft what the editor's page sends: typed fields, facts, resets, undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.interface.json_types import JsonObject
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
MOST_OWN = 2  # one request of a page makes at most two revisions: of facts and of changes
HARMLESS = ("save", "check")  # buttons that do not change the draft
CHANGE, RESET = gettext_noop("Change %(what)s"), gettext_noop("Reset %(what)s")
VERBS: dict[str, Callable[[Draft, int], Draft]] = {"undo": drafts.undo, "redo": drafts.redo}


class Unsaved(StaleDraft):
    """The draft was changed elsewhere; `typed` holds the unsaved texts by label."""

    def __init__(self, typed: dict[str, str]) -> None:
        super().__init__()
        self.typed = typed


def take_form(draft: Draft, data: QueryDict) -> None:
    """Save the fields of a whole form that differ from the draft.

    If the draft has a newer revision, the person saw an outdated state: nothing is saved, the button has no effect,
    and Unsaved is raised with the typed texts.
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
    """(path, field, text) of each input whose text differs from the draft."""
    for name in data:
        path = name.removeprefix(FIELD)
        spec = editor.form.spec_of(path) if name.startswith(FIELD) else None
        text = str(data[name]).replace("\r\n", "\n")
        if spec is not None and text != _sent_untouched(spec, editor.field(spec, path).text):
            yield path, spec, text


def _sent_untouched(spec: Spec, text: str) -> str:
    """The text that an untouched input sends: a switch without a value looks off and sends false."""
    return "false" if spec.kind == "switch" and text != "true" else text


def _facts(data: QueryDict) -> Iterator[tuple[str, str]]:
    for name in data:
        if name.startswith(FACT):
            yield name.removeprefix(FACT), str(data[name]).replace("\r\n", "\n")


def take_changes(draft: Draft, message: JsonObject) -> set[str]:
    """Apply a request of the page's script: `changes`, each {"field", "text" or "value" or "unset"}, `facts`, or `do`.

    `list` is a step on a list, with its `text`. Returns the items of lists that are open afterwards, out of `open`.
    """
    opened = paths_of_items(message.get("open"))
    revision = _known(draft, message)
    if facts := message.get("facts"):
        drafts.change_facts(draft, revision, _object(facts, "facts"))
        revision = draft.revision
    if changes := message.get("changes"):
        read = [_read(Editor(draft), change) for change in _list(changes)]
        label = str(message.get("label") or "") or _label_of(Editor(draft), read)
        drafts.apply(draft, revision, read, label)
    if path := message.get("reset"):
        reset(draft, revision, str(path), bool(message.get("to_start")))
    if command := message.get("list"):
        opened = _step(draft, revision, str(command), str(message.get("text", "")), opened)
    if verb := VERBS.get(str(message.get("do", ""))):
        verb(draft, revision)
    return opened


def _step(draft: Draft, revision: int, command: str, text: str, opened: set[str]) -> set[str]:
    field = command.partition(":")[0]
    count = len(lists.items_of(draft, field)) if field in lists.KINDS else 0
    lists.do(draft, revision, command, text)
    return opened_after(opened, command, count)


def _known(draft: Draft, message: JsonObject) -> int:
    """The revision that the page knows.

    A page that is being left sends its last changes while an earlier request of its own may still be on the way: `own`
    is the number of revisions that this request adds, so that it is not mistaken for another person's change.
    """
    revision, own = whole(message.get("revision")), message.get("own")
    reach = own if isinstance(own, int) and 0 < own <= MOST_OWN else 0
    return draft.revision if revision <= draft.revision <= revision + reach else revision


def _read(editor: Editor, change: Any) -> JsonObject:
    change = _object(change, "changes")
    field = str(change.get("field", ""))
    if "text" not in change:
        return change
    spec = editor.form.spec_of(field)
    if spec is None:
        raise BadInput(_("There is no field %(field)s: reload the page.") % {"field": field[:100]})
    return {"field": field, "value": value_of(str(change["text"]), spec)}


def reset(draft: Draft, revision: int, path: str, to_start: bool = False) -> Draft:
    """Reset a field to the default, or to the value of the preset or run that the draft started from."""
    value = value_at((draft.facts.get("base") or {}).get("config", {}), path, MISSING) if to_start else MISSING
    change = {"field": path, "unset": True} if value is MISSING else {"field": path, "value": value}
    return drafts.apply(draft, revision, [change], _label_of(Editor(draft), [change], RESET))


def _label_of(editor: Editor, changes: list[JsonObject], verb: str = "") -> str:
    verb = verb or (RESET if all("unset" in change for change in changes) else CHANGE)
    specs = [editor.form.spec_of(str(change.get("field", ""))) for change in changes]
    return _label(verb, [spec for spec in specs if spec])


def _label(verb: str, specs: list[Spec]) -> str:
    if not specs:
        return ""
    what = specs[0].title if len(specs) == 1 else _("%(count)s fields") % {"count": len(specs)}
    return _(verb) % {"what": what}


def whole(text: Any) -> int:
    """The revision in a request; raises BadInput."""
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 2**31:
        return text
    if isinstance(text, str) and text.isdecimal() and len(text) < 10:
        return int(text)
    raise BadInput(_("The revision is missing or not a number: reload the page."))


def _object(value: object, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise BadInput(_("%(name)s must be an object: reload the page.") % {"name": name})
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput("changes must be a list: reload the page.")
    return value
