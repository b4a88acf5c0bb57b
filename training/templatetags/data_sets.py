"""The data sets of a run, for its page."""

from __future__ import annotations

from uuid import UUID

from django import template

from presets.models import DataSetUse

register = template.Library()


@register.simple_tag
def data_sets_of(run: UUID) -> list[DataSetUse]:
    """The versions that the run trained on; of several attempts with the same version, the first."""
    uses = DataSetUse.objects.filter(run=run, data_set__deleted_at=None).select_related("data_set")
    return list({(use.data_set_id, use.version): use for use in reversed(uses)}.values())[::-1]
