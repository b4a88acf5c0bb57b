"""Models that record their own changes, whichever page, command or admin form saves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from system.audit.log import record

BEFORE = "_audit_before"
ADDING = {"post_add": "added", "post_remove": "removed"}
watched: set[type[Model]] = set()

Wanted = Callable[[Any], bool]


def watch(model: type[Model], subject: str, *fields: str, wanted: Wanted = lambda row: True) -> None:
    """Record `subject.created`, `.changed` and `.deleted` of the model's rows, with these fields before and after.

    `wanted` leaves out rows, such as those that the site makes for itself. Call it once, when the apps are ready.
    """

    def before_save(sender: type[Model], instance: Model, raw: bool = False, **kwargs: Any) -> None:
        if not raw and instance.pk is not None and not instance._state.adding:
            old = sender._base_manager.filter(pk=instance.pk).values(*fields).first()
            setattr(instance, BEFORE, old)

    def after_save(sender: type[Model], instance: Model, created: bool, raw: bool = False, **kwargs: Any) -> None:
        if raw or not wanted(instance):
            return
        new = _values(instance, fields)
        if created:
            record(f"{subject}.created", thing=instance, after=new)
            return
        old = instance.__dict__.pop(BEFORE, None) or {}
        written = kwargs.get("update_fields") or fields
        changed = [name for name in fields if name in written and old.get(name) != new[name]]
        if changed:
            old_values, new_values = ({name: values.get(name) for name in changed} for values in (old, new))
            record(f"{subject}.changed", thing=instance, before=old_values, after=new_values)

    def after_delete(sender: type[Model], instance: Model, **kwargs: Any) -> None:
        if wanted(instance):
            record(f"{subject}.deleted", thing=instance, before=_values(instance, fields))

    uid = f"audit {subject} {model._meta.label}"
    pre_save.connect(before_save, model, weak=False, dispatch_uid=uid)
    post_save.connect(after_save, model, weak=False, dispatch_uid=uid)
    post_delete.connect(after_delete, model, weak=False, dispatch_uid=uid)
    watched.add(model)


def watch_members(through: type[Model], subject: str) -> None:
    """Record additions to a many-to-many field and removals from it, such as a person's groups."""

    def changed(sender: type[Model], instance: Model, action: str, pk_set: Any, **kwargs: Any) -> None:
        if action == "pre_clear":
            setattr(instance, BEFORE, _members(instance, through, kwargs["reverse"]))
        elif action == "post_clear":
            if gone := instance.__dict__.pop(BEFORE, None):
                record(f"{subject}.changed", thing=instance, after={"removed": gone})
        elif action in ADDING and pk_set:
            named = [str(row) for row in kwargs["model"]._base_manager.filter(pk__in=pk_set)]
            record(f"{subject}.changed", thing=instance, after={ADDING[action]: sorted(named)})

    m2m_changed.connect(changed, through, weak=False, dispatch_uid=f"audit {subject} {through._meta.label}")


def _members(instance: Model, through: type[Model], reverse: bool) -> list[str]:
    """The rows on the other side of the field, by name."""
    forward = next(field for field in _owner(through)._meta.many_to_many if field.remote_field.through is through)
    name = forward.remote_field.get_accessor_name() if reverse else forward.name
    return sorted(str(row) for row in getattr(instance, str(name)).all())


def _owner(through: type[Model]) -> type[Model]:
    owner: Any = through._meta.auto_created
    return owner  # type: ignore[no-any-return]


def _values(row: Model, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: row.serializable_value(name) for name in fields}
