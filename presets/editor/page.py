"""A draft as the editor shows it: tabs, sections and fields with their values, changes and problems."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from engine.interface.config_keys import keys_of
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
from web.pages import Context

MOST_COLUMNS = 4  # of fields beside each other on a wide screen


@dataclass(frozen=True)
class Section:
    title: str
    fields: list[Field | ListField]

    @property
    def span(self) -> int:
        """The columns that the section's fields fill, 1 to 4, while advanced fields are hidden."""
        return self._columns(lambda field: not field.spec.advanced or field.changed)

    @property
    def span_of_all(self) -> int:
        """The same with the advanced fields."""
        return self._columns(lambda field: True)

    def _columns(self, shown: Callable[[Field], bool]) -> int:
        columns = 0
        for part in self.fields:
            if isinstance(part, ListField):
                return MOST_COLUMNS
            if not part.why_not and shown(part):
                columns += 1 + part.is_wide
        return min(max(columns, 1), MOST_COLUMNS)


class Editor:
    """Everything that the templates need of one draft; each value is computed once, at its first use."""

    def __init__(
        self, draft: Draft, tab: str | None = None, typed: dict[str, str] | None = None, opened: Iterable[str] = ()
    ) -> None:
        self.draft = draft
        self.opened = frozenset(opened)  # items of lists whose fields are shown, such as concepts.0
        self.typed = typed or {}
        self.config = configs.full_config(draft.engine, draft.config)  # raises BadInput for an unknown engine
        self.form: Form = form_of(draft.engine)
        self.tab: Tab = self.form.tab(tab)

    # -- problems ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def problems(self) -> list[Problem]:
        """The problems of the config, errors first; of a preset, only the fields that it sets are checked."""
        problems = configs.check_edited(self.draft.config, self.draft.engine, bool(self.draft.preset_id))
        return sorted(problems, key=lambda problem: not problem.is_error)

    @functools.cached_property
    def problem_list(self) -> list[Shown]:
        return [placed(self.form, problem, self._is_to_do(problem)) for problem in self.problems]

    @property
    def error_count(self) -> int:
        return sum(problem.is_error for problem in self.problems)

    @property
    def to_do_count(self) -> int:
        """The errors of fields that the user of a new run has not touched: they are no mistake yet."""
        return sum(map(self._is_to_do, self.problems))

    @property
    def mistake_count(self) -> int:
        return self.error_count - self.to_do_count

    def _is_to_do(self, problem: Problem) -> bool:
        is_new_run = self.draft.preset_id is None
        return is_new_run and problem.is_error and problem.field.partition(".")[0] not in self._touched

    @functools.cached_property
    def _touched(self) -> frozenset[str]:
        return frozenset(drafts.changes_since_start(self.draft))

    @property
    def warning_count(self) -> int:
        return len(self.problems) - self.error_count

    def _messages(self, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        messages: tuple[list[str], list[str]] = ([], [])
        for problem in self._problems_by_field.get(path, []):
            messages[not problem.is_error].append(problem.message)
        return tuple(messages[0]), tuple(messages[1])

    @functools.cached_property
    def _problems_by_field(self) -> dict[str, list[Problem]]:
        """The problems by field; a problem of a group of fields is shown at the group's first field."""
        by_field: dict[str, list[Problem]] = {}
        for problem in self.problems:
            path = problem.field
            if self.form.spec_of(path) is None and (nearest := self.form.nearest(path)):
                path = nearest.path
            by_field.setdefault(path, []).append(problem)
        return by_field

    # -- fields ------------------------------------------------------------------------------------------------

    @property
    def sections(self) -> list[Section]:
        ignored = {field.path for field in self.without_effect}
        kept = [(title, [spec for spec in specs if spec.path not in ignored]) for title, specs in self.tab.sections]
        return [
            Section(title, [self.list_of(field) or field for field in map(self.field, specs)]) for title, specs in kept
        ]

    @functools.cached_property
    def without_effect(self) -> list[Field]:
        """The fields of the tab that this trainer ignores, and that nobody has changed."""
        return [field for field in self.fields if field.is_ignored and not field.changed and not field.errors]

    @property
    def fields(self) -> Iterator[Field]:
        for spec in self.tab.specs:
            yield self.field(spec)

    def list_of(self, field: Field) -> ListField | None:
        """The list with its items, or None if the field is not shown as a list."""
        is_shown = field.spec.kind == "list" and field.path in KINDS and not field.why_not
        return ListField(self, field) if is_shown else None

    @property
    def parts(self) -> Iterator[PagePart]:
        """The parts of the open tab that are sent separately."""
        for field in self.fields:
            shown = self.list_of(field)
            if shown is None:
                yield PagePart(field.path, field.state, "field", {"field": field})
                continue
            yield from shown.parts
            for one in shown.item_fields:
                yield PagePart(one.path, one.state, "field", {"field": one})

    def field(self, spec: Spec, path: str = "") -> Field:
        """The field with its present value; `path` has the item's number if the field belongs to a list."""
        path = path or spec.path
        item = self._item(path)
        missing = "" if applies(spec, self.config, item) else why_not(spec, self.form, self.config) or "-"
        default = self.form.default_of(spec, self.config)
        value = value_at(self.config, path, MISSING)
        value = default if value is MISSING else value
        errors, warnings = self._messages(path)
        field = Field(
            spec=spec,
            path=path,
            text=self.typed.get(path, text_of(value, spec)),
            choices=self._choices(spec, value),
            why_not=missing,
            changed=text_of(value, spec) != text_of(default, spec),
            default=shown(default, spec),
            is_to_do=any(map(self._is_to_do, self._problems_by_field.get(path, []))),
            errors=errors,
            warnings=warnings,
        )
        return self._with_start(field, value, default)

    def _item(self, path: str) -> Context | None:
        parts = path.split(".")
        numbered = [index for index, part in enumerate(parts) if part.isdecimal()]
        item = value_at(self.config, ".".join(parts[: numbered[0] + 1])) if numbered else None
        return item if isinstance(item, dict) else None

    def _choices(self, spec: Spec, value: object) -> tuple[Choice, ...]:
        """The choices that the model type has, with the set value if it is none of them."""
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
        model_type = keys_of(self.config).get("model_type")
        methods = self.form.schema.get("x-training-methods", {})
        return methods.get(model_type) if isinstance(model_type, str) else None

    @functools.cached_property
    def _base(self) -> Context:
        return self.draft.facts.get("base") or {}

    def _with_start(self, field: Field, value: object, default: Any) -> Field:
        if not self._base or "*" in field.spec.path:
            return field
        start = value_at(self._base.get("config", {}), field.path, MISSING)
        start = default if start is MISSING else start
        texts = [text_of(one, field.spec) for one in (start, value, default)]
        if texts[0] in texts[1:]:
            return field
        return replace(field, start=shown(start, field.spec), start_title=self._base.get("title", ""))

    # -- around the fields -------------------------------------------------------------------------------------

    @functools.cached_property
    def changed_paths(self) -> list[str]:
        """The number of fields that differ from their defaults; a list counts as one."""
        paths = (self.form.nearest(path) for path, _ in configs.leaves(self.draft.config))
        return list(dict.fromkeys(spec.path.partition(".*")[0] for spec in paths if spec))

    @property
    def unknown(self) -> list[str]:
        """The config's fields that this engine's schema does not know; they are kept."""
        return [path for path, _ in configs.leaves(self.draft.config) if path and self.form.nearest(path) is None]

    @property
    def tabs(self) -> list[TabLink]:
        """The tabs with at least one field that applies, and the open tab."""
        errors = _count(problem.tab for problem in self.problem_list if problem.is_error)
        to_do = _count(problem.tab for problem in self.problem_list if problem.is_to_do)
        changed = _count(self.form.specs[path].tab for path in self.changed_paths if path in self.form.specs)
        return [
            TabLink(
                tab.id,
                tab.title,
                tab is self.tab,
                errors.get(tab.id, 0) - to_do.get(tab.id, 0),
                to_do.get(tab.id, 0),
                changed.get(tab.id, 0),
            )
            for tab in self.form.tabs
            if tab is self.tab or errors.get(tab.id) or any(applies(spec, self.config) for spec in tab.specs)
        ]

    @property
    def is_empty_tab(self) -> bool:
        return not any(applies(spec, self.config) for spec in self.tab.specs)

    @property
    def left_out(self) -> list[str]:
        """Sentences about hidden tabs; shown with the first tab."""
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
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
