"""How large a body may be, by the view that it is for: looked up before the body is read.

A view takes LIMIT_BODY_BYTES unless it says otherwise:

    @takes_body("FILES_BODY_BYTES")          # the name of a limit in table.py
    def import_presets(request): ...

    @takes_body(200_000_000)                 # or a number of bytes, or a function of no arguments that returns it
    class Pictures(APIView): ...

It works on functions, on classes of views, and on single actions of a viewset. The sender must be signed in to send
more than LIMIT_UNKNOWN_BODY_BYTES to any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.urls import Resolver404, resolve

from web.limits.table import limit

MARK = "most_body_bytes"
DEFAULT = "BODY_BYTES"
Most = str | int | Callable[[], int]
View = TypeVar("View", bound=Callable[..., Any])


def takes_body(most: Most) -> Callable[[View], View]:
    """Let the view, or the action of a viewset, take larger (or only smaller) bodies than others."""

    def mark(view: View) -> View:
        setattr(view, MARK, staticmethod(most) if isinstance(view, type) and callable(most) else most)
        return view

    return mark


def most_bytes(method: str, path: str) -> int:
    """The largest body that the view at this path takes by this method; nothing is there: the default."""
    try:
        view = resolve(path).func
    except Resolver404:
        return limit(DEFAULT)
    return _bytes(next((most for most in _marks(view, method) if most is not None), DEFAULT))


def _marks(view: Any, method: str) -> list[Most | None]:
    """What a function, the action of a viewset for this method, and a class say, in this order."""
    holder = getattr(view, "cls", None) or getattr(view, "view_class", None)
    action = getattr(view, "actions", None) or {}
    handler = getattr(holder, action.get(method.lower(), method.lower()), None)
    return [getattr(one, MARK, None) for one in (handler, view, holder)]


def _bytes(most: Most) -> int:
    if isinstance(most, str):
        return limit(most)
    return most() if callable(most) else most
