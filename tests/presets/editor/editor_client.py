"""The editor's page for a browser without JavaScript: read its inputs and send them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class Inputs(HTMLParser):
    """The values that a browser would send from the form on the page."""

    def __init__(self, page: str):
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = self._textarea = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name = given.get("name") or ""
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.values[name] = given.get("value") or ""
        elif tag == "select":
            self._select, self.values[name] = name, ""
        elif tag == "option" and self._select and "selected" in given:
            self.values[self._select] = given.get("value") or ""
        elif tag == "textarea":
            self._textarea, self.values[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self.values[self._textarea] = self.values[self._textarea].removeprefix("\n")
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.values[self._textarea] += data


def inputs(page: str) -> dict[str, str]:
    return {
        name: text for name, text in Inputs(page).values.items() if name not in ("q", "text", "csrfmiddlewaretoken")
    }


def send(client: Any, address: str, tab: str = "", do: str = "save", page: str = "", **changes: str) -> Any:
    """Open a tab, type, and press a button; `field__epochs` is the input `field:epochs`, and `__` after it a dot."""
    shown = inputs(page or client.get(address, {"tab": tab} if tab else {}).text)
    typed = {name.replace("__", ":", 1).replace("__", "."): text for name, text in changes.items()}
    return client.post(address, shown | {"do": do} | typed)
