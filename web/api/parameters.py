"""Reading numbers from an address."""

from __future__ import annotations

from rest_framework.request import Request

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
