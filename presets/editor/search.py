"""Find a field of the editor by its name, label or help, in all tabs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from presets.editor.fields import anchor
from presets.editor.form import Spec, why_not
from presets.editor.page import Editor

MOST_FOUND = 25


@dataclass(frozen=True)
class FieldMatch:
    spec: Spec
    tab: str
    tab_title: str
    target: str
    why_not: str

    @property
    def anchor(self) -> str:
        return anchor(self.target)


def search(editor: Editor, text: str) -> list[FieldMatch]:
    """The fields that contain all words, best match first; fields that do not apply have a reason."""
    words = text.lower().split()
    if not words:
        return []
    titles = {tab.id: tab.title for tab in editor.form.tabs}
    ranked = sorted(_ranked(editor, words), key=lambda pair: pair[0])
    return [
        FieldMatch(
            spec=spec,
            tab=spec.tab if spec.tab in titles else "",
            tab_title=titles.get(spec.tab, spec.tab),
            target=spec.path.partition(".*")[0],
            why_not=why_not(spec, editor.form, editor.config),
        )
        for _, spec in ranked[:MOST_FOUND]
    ]


def _ranked(editor: Editor, words: list[str]) -> Iterator[tuple[tuple[bool, int, bool, bool, int], Spec]]:
    """The matching fields with their ranks: fields that apply come first, then by the place of the match."""
    for spec in editor.form.specs.values():
        if all(word in spec.haystack for word in words):
            absent = bool(why_not(spec, editor.form, editor.config))
            yield (absent, _place(spec, words), spec.advanced, "*" in spec.path, spec.order), spec


def _place(spec: Spec, words: list[str]) -> int:
    whole, title, name = " ".join(words), spec.title.lower(), spec.name.lower()
    if whole in (title, name, spec.path.lower()):
        return 0
    if title.startswith(whole) or name.startswith("_".join(words)):
        return 1
    if all(word in f"{title} {name}" for word in words):
        return 2
    return 3
