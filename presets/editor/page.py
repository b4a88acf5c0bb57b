"""A draft as the editor shows it: tabs, sections and fields with their values, what is changed, and what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from engine.interface.errors import Problem
from engine.schema import value_at
from presets.config import configs
from presets.config.dotted import MISSING
from presets.editor import drafts
from presets.editor.fields import Field, Shown, TabLink, placed
from presets.editor.form import Choice, Form, Spec, Tab, applies, form_of, why_not
from presets.editor.list_verbs import KINDS
from presets.editor.lists import ListField, PagePart
from presets.editor.values import shown, text_of
from presets.models import Draft


@dataclass(frozen=True)
class Section:
    title: str
    fields: list[Field | ListField]


class Editor:
    """Everything that the templates need of one draft; computed once, when it is first asked for."""

    def __init__(
        self, draft: Draft, tab: str | None = None, typed: dict[str, str] | None = None, opened: Iterable[str] = ()
    ):
        self.draft = draft
        self.opened = frozenset(opened)  # items of lists whose fields are shown, such as concepts.0
        self.typed = typed or {}
        self.config = configs.full_config(draft.engine, draft.config)  # raises BadInput where there is no such engine
        self.form: Form = form_of(draft.engine)
        self.tab: Tab = self.form.tab(tab)

    # -- problems ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def problems(self) -> list[Problem]:
        """What the check finds, errors first; a preset is checked only in what it names."""
        found = configs.check_edited(self.draft.config, self.draft.engine, bool(self.draft.preset_id))
        return sorted(found, key=lambda problem: not problem.is_error)

    @functools.cached_property
    def problem_list(self) -> list[Shown]:
        return [placed(self.form, problem) for problem in self.problems]

    @property
    def error_count(self) -> int:
        return sum(problem.is_error for problem in self.problems)

    @property
    def warning_count(self) -> int:
        return len(self.problems) - self.error_count

    def _messages(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found: tuple[list[str], list[str]] = ([], [])
        for problem in self._problems_by_field.get(path, []):
            found[not problem.is_error].append(problem.message)
        return tuple(found[0]), tuple(found[1])

    @functools.cached_property
    def _problems_by_field(self) -> dict[str, list[Problem]]:
        """A problem that is of no single field stands at the first field below it."""
        found: dict[str, list[Problem]] = {}
        for problem in self.problems:
            path = problem.field
            if self.form.spec_of(path) is None and (nearest := self.form.nearest(path)):
                path = nearest.path
            found.setdefault(path, []).append(problem)
        return found

    # -- fields ------------------------------------------------------------------------------------------------

    @property
    def sections(self) -> list[Section]:
        return [
            Section(title, [self.list_of(field) or field for field in map(self.field, specs)])
            for title, specs in self.tab.sections
        ]

    @property
    def fields(self) -> Iterator[Field]:
        for spec in self.tab.specs:
            yield self.field(spec)

    def list_of(self, field: Field) -> ListField | None:
        """The list with its items, where the field is one that is shown so."""
        is_shown = field.spec.kind == "list" and field.path in KINDS and not field.why_not
        return ListField(self, field) if is_shown else None

    @property
    def parts(self) -> Iterator[PagePart]:
        """All of the open tab that is drawn again by itself."""
        for field in self.fields:
            shown = self.list_of(field)
            if shown is None:
                yield PagePart(field.path, field.state, "field", {"field": field})
                continue
            yield from shown.parts
            for one in shown.item_fields:
                yield PagePart(one.path, one.state, "field", {"field": one})

    def field(self, spec: Spec, path: str = "") -> Field:
        """The field as it stands; `path` has the item's number where the field belongs to a list."""
        path = path or spec.path
        item = self._item(path)
        missing = "" if applies(spec, self.config, item) else why_not(spec, self.form, self.config) or "-"
        default = self.form.default_of(spec, self.config)
        value = value_at(self.config, path, MISSING)
        value = default if value is MISSING else value
        errors, warnings = self._messages(path)
        made = Field(
            spec=spec,
            path=path,
            text=self.typed.get(path, text_of(value, spec)),
            choices=self._choices(spec, value),
            why_not=missing,
            changed=text_of(value, spec) != text_of(default, spec),
            default=shown(default, spec),
            errors=errors,
            warnings=warnings,
        )
        return self._with_start(made, value, default)

    def _item(self, path: str) -> dict[str, Any] | None:
        parts = path.split(".")
        numbered = [index for index, part in enumerate(parts) if part.isdecimal()]
        found = value_at(self.config, ".".join(parts[: numbered[0] + 1])) if numbered else None
        return found if isinstance(found, dict) else None

    def _choices(self, spec: Spec, value: Any) -> tuple[Choice, ...]:
        """The choices, without those that the model type does not have, and with what is set if it is none of them."""
        possible = self._possible(spec.path)
        choices = tuple(
            replace(choice, supported=choice.supported and (possible is None or choice.value in possible))
            for choice in spec.choices
        )
        if spec.kind == "choice" and value is not None and all(choice.value != value for choice in choices):
            return (Choice(text_of(value, spec), f"{text_of(value, spec)} (no choice of this field)"), *choices)
        return choices

    def _possible(self, path: str) -> list[str] | None:
        if path != "training_method":
            return None
        model_type = self.config.get("model_type")
        methods = self.form.schema.get("x-training-methods", {})
        return methods.get(model_type) if isinstance(model_type, str) else None

    @functools.cached_property
    def _base(self) -> dict[str, Any]:
        return self.draft.facts.get("base") or {}

    def _with_start(self, made: Field, value: Any, default: Any) -> Field:
        if not self._base or "*" in made.spec.path:
            return made
        start = value_at(self._base.get("config", {}), made.path, MISSING)
        start = default if start is MISSING else start
        texts = [text_of(one, made.spec) for one in (start, value, default)]
        if texts[0] in texts[1:]:
            return made
        return replace(made, start=shown(start, made.spec), start_title=self._base.get("title", ""))

    # -- around the fields -------------------------------------------------------------------------------------

    @functools.cached_property
    def changed_paths(self) -> list[str]:
        """The fields that differ from their defaults; a list counts as one."""
        paths = (self.form.nearest(path) for path, _ in configs.leaves(self.draft.config))
        return list(dict.fromkeys(spec.path.partition(".*")[0] for spec in paths if spec))

    @property
    def unknown(self) -> list[str]:
        """What the config holds that this engine's schema does not know; it is kept."""
        return [path for path, _ in configs.leaves(self.draft.config) if path and self.form.nearest(path) is None]

    @property
    def tabs(self) -> list[TabLink]:
        """Those in which something applies, and the one that is open."""
        errors = _count(problem.tab for problem in self.problem_list if problem.is_error)
        changed = _count(self.form.specs[path].tab for path in self.changed_paths if path in self.form.specs)
        return [
            TabLink(tab.id, tab.title, tab is self.tab, errors.get(tab.id, 0), changed.get(tab.id, 0))
            for tab in self.form.tabs
            if tab is self.tab or errors.get(tab.id) or any(applies(spec, self.config) for spec in tab.specs)
        ]

    @property
    def is_empty_tab(self) -> bool:
        return not any(applies(spec, self.config) for spec in self.tab.specs)

    @property
    def left_out(self) -> list[str]:
        """Sentences on what is not here; shown with the first tab."""
        return list(self.form.left_out.values()) if self.tab is self.form.tabs[0] else []

    @functools.cached_property
    def steps(self) -> tuple[str, str]:
        return drafts.next_labels(self.draft)

    @property
    def undo(self) -> str:
        return self.steps[0]

    @property
    def redo(self) -> str:
        return self.steps[1]

    @property
    def start_title(self) -> str:
        return self._base.get("title", "")

    @property
    def start_version(self) -> int | None:
        return self._base.get("version")


def _count(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found
