"""The ids of runs, samples and jobs, as they stand in addresses and forms."""

from __future__ import annotations

from uuid import UUID

UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # in regular expressions of addresses


def as_uuid(text: str) -> UUID | None:
    """The id that the text spells, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
