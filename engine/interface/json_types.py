"""Types of JSON: what configs, journals, specs and schemas hold."""

from __future__ import annotations

from typing import Any

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# An object of unknown depth. Its values are Any, so that a reader can index them; the reader checks its form.
JsonObject = dict[str, Any]
