"""Removing an ended fetch from the list."""

from __future__ import annotations

from django.utils.translation import gettext as _

from presets.base_models.on_disk import delete_partial
from presets.models import ModelFetch
from web.errors import NotNow


def remove(row: ModelFetch) -> None:
    """Remove an ended fetch and its partial files. Raises NotNow."""
    if row.is_open:
        raise NotNow(_("This fetch is under way: cancel it first."))
    delete_partial(row)
    row.delete()
