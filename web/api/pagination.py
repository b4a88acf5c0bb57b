"""Lists in pages: a cursor stays valid while rows are added at the front."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from web.errors import BadInput


class CursorPages(CursorPagination):
    """`?page_size=` sets up to 500 rows a page; `next` and `previous` are whole addresses."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-pk"

    def paginate_queryset(self, queryset: QuerySet[Model], request: Request, view: object = None) -> list[Model] | None:
        try:
            page: list[Model] | None = super().paginate_queryset(queryset, request, view)
            return page
        except (ValidationError, ValueError, TypeError, OverflowError, DataError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            raise BadInput(_("The cursor is invalid: use the addresses in `next` and `previous` unchanged.")) from error
