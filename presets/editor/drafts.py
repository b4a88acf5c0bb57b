"""Drafts: a config that a user is working on, saved with every change, with undo and redo over all of them.

A change names the revision that it is based on. If the draft has a newer revision, the change is refused (StaleDraft)
and nothing is overwritten: the conditional UPDATE on the revision is the lock. Incomplete or wrong values are kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.engines import UnknownEngine, get_engine
from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.dotted import MISSING, with_value
from presets.config.files import MAX_CONFIG_BYTES
from presets.models import Draft, DraftStep, Preset
from web.errors import BadInput, NotNow, StaleDraft

ONE_EDIT = timedelta(seconds=4)  # keystrokes in one field within this time are undone together
MOST_STEPS = 500
FACTS = ("name", "tags", "notes", "description", "note")
LONGEST_FACT = {"name": 200, "tags": 1000, "notes": 20_000, "description": 10_000, "note": 500}
MOST_RIVALS = 20
T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """The part of a draft that undo restores."""

    config: JsonObject
    facts: JsonObject
    engine: str
    start: str

    @classmethod
    def of(cls, draft: Draft) -> Content:
        return cls(draft.config, draft.facts, draft.engine, draft.start)

    def flat(self) -> JsonObject:
        """The content by the names that steps use: `engine`, `start`, `facts.name`, `config.optimizer`."""
        return {
            "engine": self.engine,
            "start": self.start,
            **{f"facts.{name}": value for name, value in self.facts.items()},
            **{f"config.{name}": value for name, value in self.config.items()},
        }

    @classmethod
    def from_flat(cls, flat: JsonObject) -> Content:
        parts: dict[str, JsonObject] = {"facts": {}, "config": {}}
        for name, value in flat.items():
            part, dot, key = name.partition(".")
            if dot:
                parts[part][key] = value
        return cls(parts["config"], parts["facts"], flat["engine"], flat["start"])


def get_draft(user: User, preset: Preset | None = None) -> Draft:
    """The user's draft of a new run, or of a preset; a new draft starts from the defaults, or from the preset."""
    existing = Draft.objects.filter(user=user, preset=preset).first()
    if existing is not None:
        return existing
    draft = Draft(user=user, preset=preset)
    if preset is not None:
        draft.config, draft.start = without_secrets(preset.config), f"preset:{preset.pk}"
        draft.facts = base_of(preset.name, preset.config, preset.version)
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
        return draft
    except IntegrityError:  # another request created it at the same moment
        return Draft.objects.get(user=user, preset=preset)


def base_of(title: str, config: JsonObject, version: int | None = None) -> JsonObject:
    """The facts that name a draft's start, from which later changes are computed."""
    return {"base": {"title": title, "config": without_secrets(config), "version": version}}


def apply(draft: Draft, revision: int, changes: list[JsonObject], label: str = "") -> Draft:
    """Set fields, `{"field", "value"}`, or reset them to their defaults, `{"field", "unset": true}`, as one step.

    Wrong values are accepted; only tokens are refused. Edits of the same field within seconds become one step.
    Raises StaleDraft, and BadInput for a path that does not exist.
    """
    config = draft.config
    for change in changes:
        config = _changed(draft, config, change)
    fields = [change["field"] for change in changes]
    single = len(fields) == 1
    what = fields[0] if single else _("%(count)s fields") % {"count": len(fields)}
    shown = label or _("Change %(what)s") % {"what": what}
    return _commit(draft, revision, replace(Content.of(draft), config=config), shown, one_edit=single)


def _changed(draft: Draft, config: JsonObject, change: Any) -> JsonObject:
    field = change.get("field") if isinstance(change, dict) else None
    if not isinstance(field, str) or ("value" in change) == bool(change.get("unset")):
        raise BadInput(_('A change is {"field": path, "value": value}, or {"field": path, "unset": true}.'))
    if field.partition(".")[0] == "secrets":
        sentence = _("Tokens are never saved in a config: enter them on the account page.")
        raise BadInput(sentence, {field: [sentence]})
    value = MISSING if change.get("unset") else change["value"]
    first, dot, _rest = field.partition(".")
    below = configs.defaults(draft.engine).get(first, {})
    if dot and first not in config and not isinstance(below, dict):
        config = {**config, first: [] if below is None else below}
    return with_value(config, field, value)


def replace_config(draft: Draft, revision: int, config: JsonObject, label: str = "", engine: str = "") -> Draft:
    """Replace the whole config by `config`, full or partial, as one step."""
    content = replace(Content.of(draft), config=config, engine=engine or draft.engine)
    return _commit(draft, revision, content, label or _("Replace the config"))


def change_facts(draft: Draft, revision: int, facts: JsonObject) -> Draft:
    """Set name, tags or notes of the new run, as one step."""
    for name, value in facts.items():
        if name not in FACTS or not isinstance(value, str):
            raise BadInput(_("A draft's facts are %(facts)s, and each must be a text.") % {"facts": ", ".join(FACTS)})
        if len(value) > LONGEST_FACT[name]:
            raise BadInput(
                _("%(name)s may have at most %(longest_fact)s characters: shorten it.")
                % {"name": name, "longest_fact": LONGEST_FACT[name]}
            )
    content = replace(Content.of(draft), facts={**draft.facts, **facts})
    return _commit(draft, revision, content, _("Change %(what)s") % {"what": ", ".join(facts)}, one_edit=True)


def choose_engine(draft: Draft, revision: int, engine: str) -> Draft:
    """Use another trainer; the config stays. Raises BadInput for an unknown trainer."""
    try:
        title = get_engine(engine).title
    except UnknownEngine as error:
        raise BadInput(str(error), {"engine": [str(error)]}) from error
    return _commit(draft, revision, replace(Content.of(draft), engine=engine), _("Choose %(title)s") % {"title": title})


def load(
    draft: Draft,
    revision: int,
    start: str,
    title: str,
    config: JsonObject,
    *,
    version: int | None = None,
    keep_changes: bool = False,
    engine: str = "",
    facts: dict[str, str] | None = None,
) -> Draft:
    """Start over from a preset, a run, the wizard's recipe or the defaults, as one step that can be undone.

    With `keep_changes`, the changes since the last start are applied to the new start. `facts` are the run's name,
    tags and notes, if the start has any.
    """
    engine = engine or draft.engine
    base = configs.difference(without_secrets(config), configs.defaults(engine))
    content = configs.merge(base, changes_since_start(draft)) if keep_changes else base
    kept: JsonObject = {name: value for name, value in draft.facts.items() if name in FACTS} | (facts or {})
    if start:
        kept |= base_of(title, base, version)
    new = Content(content, kept, engine, start)
    return _commit(draft, revision, new, _("Load %(title)s") % {"title": title})


def changes_since_start(draft: Draft) -> JsonObject:
    """The fields that differ from the draft's start."""
    defaults = configs.defaults(draft.engine)
    began = configs.merge(defaults, draft.facts.get("base", {}).get("config", {}))
    return configs.difference(configs.merge(defaults, draft.config), began)


def undo(draft: Draft, revision: int) -> Draft:
    """Undo the last step. Raises StaleDraft, and NotNow if there is no step to undo."""
    _check_revision(draft, revision)
    step = draft.steps.filter(number=draft.position).first()
    if step is None:
        raise NotNow(_("There is nothing to undo."))
    return _replay(draft, revision, step, draft.position - 1, "before")


def redo(draft: Draft, revision: int) -> Draft:
    """Redo the step that was undone last. Raises StaleDraft, and NotNow if there is no step to redo."""
    _check_revision(draft, revision)
    step = draft.steps.filter(number=draft.position + 1).first()
    if step is None:
        raise NotNow(_("There is nothing to redo."))
    return _replay(draft, revision, step, draft.position + 1, "after")


def next_labels(draft: Draft) -> tuple[str, str]:
    """The titles of the steps that undo reverts and redo repeats; empty if there is none."""
    numbers = (draft.position, draft.position + 1)
    labels = dict(draft.steps.filter(number__in=numbers).values_list("number", "label"))
    return labels.get(numbers[0], ""), labels.get(numbers[1], "")


def discard(draft: Draft) -> None:
    """Delete the draft and its history; its preset stays."""
    draft.delete()


def retry(draft: Draft, change: Callable[[Draft], T], rounds: int = MOST_RIVALS) -> T:
    """Apply a change to the newest state, for clients without revisions. Raises StaleDraft."""
    for _round in range(rounds):
        try:
            return change(draft)
        except StaleDraft:
            draft = Draft.objects.get(pk=draft.pk)
    raise StaleDraft


@transaction.atomic
def _commit(draft: Draft, revision: int, content: Content, label: str, one_edit: bool = False) -> Draft:
    """Save the content as the next step; undone steps are dropped."""
    content = replace(content, config=_as_kept(content))
    changes = list(_differences(Content.of(draft), content))
    if not changes:
        _check_revision(draft, revision)
        return draft
    last = draft.steps.filter(number=draft.position).first() if one_edit else None
    grows = last is not None and _is_same_edit(draft, last, label, changes)
    position = draft.position if grows else draft.position + 1
    _write(draft, revision, content, position)
    draft.steps.filter(number__gt=position - (not grows)).delete()
    if grows and last is not None:
        _extend(draft, last, changes)
    else:
        draft.steps.create(number=position, label=label[:200], changes=changes)
        draft.steps.filter(number__lte=position - MOST_STEPS).delete()
    return draft


def _as_kept(content: Content) -> JsonObject:
    """The fields that differ from the defaults, without tokens; raises BadInput if they are too large."""
    kept = configs.difference(without_secrets(content.config), configs.defaults(content.engine))
    if len(json.dumps(kept)) > MAX_CONFIG_BYTES:
        raise BadInput(
            _("The config is larger than %(max_config_bytes)s MB: remove something.")
            % {"max_config_bytes": MAX_CONFIG_BYTES // 1_000_000}
        )
    configs.refuse_endless(kept)
    return kept


def _differences(old: Content, new: Content) -> Iterable[JsonObject]:
    before, after = old.flat(), new.flat()
    for name in sorted(before.keys() | after.keys()):
        sides = {side: flat[name] for side, flat in (("before", before), ("after", after)) if name in flat}
        if len(sides) == 1 or not _same(sides["before"], sides["after"]):
            yield {"field": name, **sides}


def _same(one: Any, other: Any) -> bool:
    """Whether the two are equal in JSON, where true is not 1."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_same_edit(draft: Draft, last: DraftStep, label: str, changes: list[JsonObject]) -> bool:
    undone = draft.steps.filter(number__gt=draft.position).exists()
    fields = [[change["field"] for change in some] for some in (last.changes, changes)]
    return last.label == label and fields[0] == fields[1] and not undone and now() - last.at < ONE_EDIT


def _extend(draft: Draft, last: DraftStep, changes: list[JsonObject]) -> None:
    for old, new in zip(last.changes, changes, strict=True):
        old.pop("after", None)
        old |= {key: value for key, value in new.items() if key == "after"}
    last.at = now()
    last.save(update_fields=["changes", "at"])


@transaction.atomic
def _replay(draft: Draft, revision: int, step: DraftStep, position: int, side: str) -> Draft:
    flat = Content.of(draft).flat()
    for change in step.changes:
        if side in change:
            flat[change["field"]] = change[side]
        else:
            flat.pop(change["field"], None)
    return _write(draft, revision, Content.from_flat(flat), position)


def _check_revision(draft: Draft, revision: int) -> None:
    if not Draft.objects.filter(pk=draft.pk, revision=revision).exists():
        raise StaleDraft


def _write(draft: Draft, revision: int, content: Content, position: int) -> Draft:
    """Save the draft unless another change came first; of two rivals, one sees a row change."""
    values = {**vars(content), "position": position, "revision": revision + 1, "updated_at": now()}
    if draft.revision != revision or not Draft.objects.filter(pk=draft.pk, revision=revision).update(**values):
        raise StaleDraft
    for name, value in values.items():
        setattr(draft, name, value)
    return draft
