"""The header of a safetensors file: the names, shapes and places of its tensors, read without the tensors.

Eight bytes with the header's length, then JSON, then the tensors
(https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

LENGTH_BYTES = 8
MOST_BYTES = 100_000_000  # of a header, as the safetensors library has it

Shape = tuple[int, ...]


class BadHeader(ValueError):
    """The header's problem, as text that follows the file's name in a sentence."""


@dataclass(frozen=True)
class Header:
    """`shapes` by tensor; `file_size` is the size in bytes that the whole file must have."""

    shapes: dict[str, Shape]
    metadata: dict[str, str]
    file_size: int


def read_header(path: Path) -> Header:
    """Read a file's header; compare `file_size` with the file to see if all tensors are there. Raises BadHeader."""
    text = _text(path)
    try:
        content = json.loads(text)
        metadata = content.pop("__metadata__", {})
        shapes = {name: tuple(facts["shape"]) for name, facts in content.items()}
        end = max((facts["data_offsets"][1] for facts in content.values()), default=0)
        return Header(shapes, dict(metadata), LENGTH_BYTES + len(text) + end)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadHeader("its header cannot be read") from error


def _text(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or length > min(MOST_BYTES, size - LENGTH_BYTES):
            raise BadHeader("its header is cut off")
        return file.read(length)
