"""Query parameters: numbers are checked, and unknown parameters are refused."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.settings import api_settings

from web.errors import BadInput


def whole_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """The query parameter as a number from `least` to `most`; raises BadInput."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        sentence = f"must be a whole number from {least} to {most}."
        raise BadInput(f"{name} {sentence}", {name: [f"It {sentence}"]})
    return number


def values_of(request: Request, name: str) -> list[str]:
    """The values of a parameter that takes several, which may be repeated or separated by commas, each once."""
    texts = request.query_params.getlist(name)
    return list(dict.fromkeys(value for text in texts for part in text.split(",") if (value := part.strip())))


class KnownParameters:
    """For views: a GET is refused with a 400 if the OpenAPI document does not list a query parameter of it, or if a
    parameter that takes one value is repeated.

    Otherwise a misspelt filter would be ignored and the answer hold every row, and of two values one would be ignored.
    A single row may get any parameters.
    """

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        # A viewset has no action for a method that it does not answer: DRF then says 405.
        if request.method in ("GET", "HEAD") and getattr(self, "action", "") not in ("retrieve", None):
            refuse_unknown(request, known_parameters(self))
            refuse_repeated(request, {*_declared(self, many=True), *_of_filters(self, repeatable=True)})


def refuse_unknown(request: Request, known: list[str]) -> None:
    """Raise BadInput for the first query parameter that is not among the known ones."""
    for name in request.query_params:
        if name not in known and name != api_settings.URL_FORMAT_OVERRIDE:
            sentence = _("There is no parameter %(name)s here: use %(known)s.") % {
                "name": repr(name[:100]),
                "known": ", ".join(known) or _("none"),
            }
            raise BadInput(sentence, {name: [sentence]})


def refuse_repeated(request: Request, repeatable: set[str]) -> None:
    """Raise BadInput for the first query parameter with several values that takes only one."""
    for name, values in request.query_params.lists():
        if len(values) > 1 and name not in repeatable:
            sentence = _("%(name)s takes one value: name it once.") % {"name": name}
            raise BadInput(sentence, {name: [sentence]})


def known_parameters(view: object) -> list[str]:
    """The names of the query parameters of the view's GET in alphabetical order."""
    return sorted({*_declared(view), *_of_filters(view), *_of_pages(view)})


def _declared(view: object, many: bool = False) -> Iterator[str]:
    """The parameters of `extend_schema`, which keeps its schema in the handler's `kwargs`, as DRF's `action` does.

    With `many`, only those that take several values.
    """
    handler = getattr(view, getattr(view, "action", "get"), None)  # a view without GET answers 405 next
    schema_class = getattr(handler, "kwargs", {}).get("schema")
    if schema_class is None:
        return
    schema = schema_class()
    schema.view, schema.method = view, "GET"
    for parameter in schema.get_override_parameters():
        is_query = isinstance(parameter, OpenApiParameter) and parameter.location == OpenApiParameter.QUERY
        if is_query and (parameter.many or not many):
            yield parameter.name


def _of_filters(view: object, repeatable: bool = False) -> Iterator[str]:
    """Filters apply only to lists, but not to the lists of one row, such as a run's events.

    With `repeatable`, only those of backends that take several values of a parameter.
    """
    if getattr(view, "detail", None):
        return
    for backend in getattr(view, "filter_backends", ()):
        if repeatable and not getattr(backend, "repeatable", False):
            continue
        yield from (parameter["name"] for parameter in backend().get_schema_operation_parameters(view))


def _of_pages(view: object) -> Iterator[str]:
    if paginator := getattr(view, "paginator", None):
        yield from (parameter["name"] for parameter in paginator.get_schema_operation_parameters(view))
