"""Lists in pages: a cursor stays right while rows are added in front."""

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """`?page_size=` chooses up to 500 rows a page; `next` and `previous` are whole addresses."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = "-pk"
