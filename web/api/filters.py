"""Query parameters of lists: exact filters, search and order, each refused with a sentence if it is invalid."""

from __future__ import annotations

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.filters import BaseFilterBackend, OrderingFilter, SearchFilter
from rest_framework.request import Request

from engine.interface.json_types import JsonObject
from web.errors import BadInput

MOST_DIGITS = 18  # the range of a database's integers


def text_parameter(name: str, description: str, **schema: Any) -> JsonObject:
    """A query parameter in the words of OpenAPI."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


class FieldFilter(BaseFilterBackend):
    """The view's `filter_lookups`: parameter -> (lookup, description). A repeated parameter matches either value."""

    repeatable = True

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        for name, (lookup, _about) in view.filter_lookups.items():
            values = [value for value in request.query_params.getlist(name) if value]
            if not values:
                continue
            try:
                queryset = queryset.filter(**{f"{lookup}__in": [self._value(value) for value in values]})
            except (ValueError, TypeError, ValidationError) as error:
                sentence = _("%(values)s is not a valid value of %(name)s: see the API's documentation.") % {
                    "values": f"{values[0][:100]!r}",
                    "name": name,
                }
                raise BadInput(sentence, {name: [sentence]}) from error
        return queryset

    def _value(self, value: str) -> Any:
        if "\x00" in value or (value.lstrip("-").isdigit() and len(value) > MOST_DIGITS):
            raise ValueError(value)
        return {"true": True, "false": False}.get(value.lower(), value)

    def get_schema_operation_parameters(self, view: Any) -> list[JsonObject]:
        several = {"type": "array", "items": {"type": "string"}}
        return [text_parameter(name, description, **several) for name, (_, description) in view.filter_lookups.items()]


class Search(SearchFilter):
    """DRF's search: each word must be in one of the view's `search_fields`."""


class Order(OrderingFilter):
    """DRF's order, with the primary key last, so that equal rows keep their order from page to page."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        names = [name.strip() for name in request.query_params.get(self.ordering_param, "").split(",") if name.strip()]
        allowed = cast(list[str], view.ordering_fields)
        for name in names:
            if name.removeprefix("-") not in allowed:
                sentence = _("%(value)s cannot be used for the order: choose from %(allowed)s.") % {
                    "value": f"{name[:100]!r}",
                    "allowed": ", ".join(allowed),
                }
                raise BadInput(sentence, {self.ordering_param: [sentence]})
        order = tuple(names) or tuple(view.ordering)
        return (*order, "-pk" if order[-1].startswith("-") else "pk")


class FilteredLists:
    """For viewsets: parameters filter only lists, so that actions on one row may use them otherwise."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.detail else super().filter_queryset(queryset)  # type: ignore[attr-defined,misc]
