"""Changes to many captions at once: tags added, removed and replaced, text found and replaced, a word in front.

A caption file may have several captions, one on each line: each line is changed by itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import regex
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from presets.datasets.files import locked
from presets.datasets.verbs import LONGEST_CAPTION, chosen
from presets.datasets.versions import Change, apply, state_of
from presets.models import DataSet, DataSetPicture, DataSetVersion
from web.errors import BadInput

SECONDS = 2.0  # that a regular expression may take for all captions together
SHOWN = 50  # changes of a preview
ACTIONS = {
    "add": gettext_lazy("Add tags at the end"),
    "add_first": gettext_lazy("Add tags at the beginning"),
    "remove": gettext_lazy("Remove tags"),
    "replace_tag": gettext_lazy("Replace a tag"),
    "replace": gettext_lazy("Replace text"),
    "replace_regex": gettext_lazy("Replace by a regular expression"),
    "prefix": gettext_lazy("Put a trigger word or text in front"),
}
Line = Callable[[str], str]


@dataclass(frozen=True)
class CaptionEdit:
    """One of ACTIONS: `text` is added, removed or found, and `replacement` takes its place."""

    action: str
    text: str
    replacement: str = ""
    match_case: bool = False


@dataclass(frozen=True)
class CaptionChange:
    name: str
    before: str | None
    after: str | None


def tags_of(caption: str | None) -> list[str]:
    """The tags of all lines, in their order."""
    return [tag for line in (caption or "").splitlines() for part in line.split(",") if (tag := part.strip())]


def counted_tags(data_set: DataSet) -> list[tuple[str, int]]:
    """The tags of the set with the number of pictures that have them, the most frequent first."""
    captions = data_set.pictures.exclude(caption=None).values_list("caption", flat=True)
    return Counter(tag for caption in captions for tag in set(tags_of(caption))).most_common()


def preview(data_set: DataSet, pictures: Sequence[int] | None, edit: CaptionEdit) -> tuple[int, list[CaptionChange]]:
    """(the number of captions that change, the first of them). Raises BadInput and NotFound."""
    changes = list(_changes(_rows(data_set, pictures), edit))
    shown = [CaptionChange(row.name, row.caption, after) for row, after in changes[:SHOWN]]
    return len(changes), shown


def edit_captions(
    data_set: DataSet, pictures: Sequence[int] | None, edit: CaptionEdit, by: User | None
) -> tuple[int, DataSetVersion | None]:
    """Change the captions of the pictures, or of all, as one version. Raises BadInput and NotFound."""
    with locked(data_set):
        found = _changes(_rows(data_set, pictures), edit)
        changes = [Change(row.name, state_of(row), state_of(row).changed(caption=after)) for row, after in found]
        label = ngettext("%(count)s caption: %(what)s", "%(count)s captions: %(what)s", len(changes))
        what = f"{ACTIONS[edit.action]} “{edit.text[:60]}”"
        return len(changes), apply(data_set, label % {"count": len(changes), "what": what}, changes, by)


def _rows(data_set: DataSet, pictures: Sequence[int] | None) -> list[DataSetPicture]:
    return list(data_set.pictures.all()) if pictures is None else chosen(data_set, pictures)


def _changes(rows: Iterable[DataSetPicture], edit: CaptionEdit) -> Iterable[tuple[DataSetPicture, str]]:
    change = _line_of(edit)
    for row in rows:
        lines = (row.caption or "").splitlines() or [""]
        after = "\n".join(change(line) for line in lines)
        if len(after) > LONGEST_CAPTION:
            raise BadInput(_("%(name)s would get too long a caption: replace less.") % {"name": row.name})
        if after != (row.caption or ""):
            yield row, after


def _line_of(edit: CaptionEdit) -> Line:
    """The change of one line. Raises BadInput."""
    if not edit.text.strip() or (edit.action in TAG_ACTIONS and not tags_of(edit.text)):
        raise BadInput(_("Type a text."), {"text": [_("Type a text.")]})
    if edit.action not in LINES:
        raise BadInput(_("Choose one of the actions."), {"action": [", ".join(LINES)]})
    return LINES[edit.action](edit)


def _same(edit: CaptionEdit) -> Callable[[str], str]:
    return (lambda text: text) if edit.match_case else str.casefold


def _add(edit: CaptionEdit, first: bool = False) -> Line:
    wanted, same = tags_of(edit.text), _same(edit)

    def change(line: str) -> str:
        tags = tags_of(line)
        missing = [tag for tag in wanted if same(tag) not in {same(one) for one in tags}]
        return ", ".join([*missing, *tags] if first else [*tags, *missing]) if missing else line

    return change


def _remove(edit: CaptionEdit) -> Line:
    same = _same(edit)
    unwanted = {same(tag) for tag in tags_of(edit.text)}

    def change(line: str) -> str:
        tags = tags_of(line)
        kept = [tag for tag in tags if same(tag) not in unwanted]
        return ", ".join(kept) if len(kept) < len(tags) else line

    return change


def _replace_tag(edit: CaptionEdit) -> Line:
    same = _same(edit)
    found = {same(tag) for tag in tags_of(edit.text)}

    def change(line: str) -> str:
        tags = tags_of(line)
        if not found & {same(tag) for tag in tags}:
            return line
        new = [edit.replacement.strip() if same(tag) in found else tag for tag in tags]
        return ", ".join(tag for tag in dict.fromkeys(new) if tag)

    return change


def _replace(edit: CaptionEdit) -> Line:
    return _by_pattern(regex.escape(edit.text), lambda match: edit.replacement, edit)


def _replace_regex(edit: CaptionEdit) -> Line:
    return _by_pattern(edit.text, edit.replacement, edit)


def _by_pattern(pattern: str, replacement: str | Callable[[object], str], edit: CaptionEdit) -> Line:
    """All lines together may take SECONDS, since some expressions take for ever."""
    until = time.monotonic() + SECONDS
    try:
        compiled = regex.compile(pattern, 0 if edit.match_case else regex.IGNORECASE)
    except (regex.error, RecursionError, OverflowError) as error:
        sentence = _("This is not a regular expression (%(error)s): correct it.") % {"error": error}
        raise BadInput(sentence, {"text": [sentence]}) from error

    def change(line: str) -> str:
        try:
            return compiled.sub(replacement, line, timeout=max(0.001, until - time.monotonic()))
        except TimeoutError as error:
            sentence = _("This expression takes too long: make it simpler, without a repetition in a repetition.")
            raise BadInput(sentence, {"text": [sentence]}) from error
        except (regex.error, IndexError, MemoryError) as error:
            sentence = _("The replacement does not fit the expression (%(error)s): correct it.") % {"error": error}
            raise BadInput(sentence, {"replacement": [sentence]}) from error

    return change


def _prefix(edit: CaptionEdit) -> Line:
    text, same = edit.text.strip(), _same(edit)
    return lambda line: line if same(line).startswith(same(text)) else f"{text} {line}".rstrip()


LINES: dict[str, Callable[[CaptionEdit], Line]] = {
    "add": _add,
    "add_first": lambda edit: _add(edit, first=True),
    "remove": _remove,
    "replace_tag": _replace_tag,
    "replace": _replace,
    "replace_regex": _replace_regex,
    "prefix": _prefix,
}
TAG_ACTIONS = ("add", "add_first", "remove", "replace_tag")
