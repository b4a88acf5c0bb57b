"""The filters that the API of runs shares with the page's table."""

from __future__ import annotations

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from engine.interface.json_types import JsonObject
from training.models import RunQuerySet
from training.table import query as run_table
from web.api.filters import text_parameter
from web.errors import BadInput

PARAMETERS = {
    "q": "Words that must all occur in a run's name, notes, tags or config.",
    "tag": "A tag.",
    "model": "A base model's type, such as STABLE_DIFFUSION_15.",
    "method": "A training method, such as LORA.",
    "from": "The first day, by the date of creation, such as 2026-01-31.",
    "to": "The last day, by the date of creation.",
}


class TableFilters(BaseFilterBackend):
    """The parameters of the table of runs, with the same meaning as in the page's address."""

    def filter_queryset(self, request: Request, queryset: RunQuerySet, view: object) -> RunQuerySet:
        query = request.query_params.copy()
        for name in set(query) - set(PARAMETERS):
            del query[name]
        for name, text in query.items():
            _refuse_nonsense(name, text)
        return run_table.narrowed(queryset, query)

    def get_schema_operation_parameters(self, view: object) -> list[JsonObject]:
        return [text_parameter(name, description) for name, description in PARAMETERS.items()]


def _refuse_nonsense(name: str, text: str) -> None:
    if "\x00" in text or (name in ("from", "to") and text and not _is_date(text)):
        sentence = _("%(value)s cannot be used as %(name)s: %(help)s") % {
            "value": repr(text[:100]),
            "name": name,
            "help": PARAMETERS[name],
        }
        raise BadInput(sentence, {name: [sentence]})


def _is_date(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except ValueError:
        return False
