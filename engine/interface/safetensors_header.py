"""The header of a safetensors file: the names, types, shapes and places of its tensors, read without the tensors.

Eight bytes with the header's length, then JSON, then the tensors, without gaps between them
(https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import json
import math
import stat
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.json_types import JsonObject

LENGTH_BYTES = 8
MOST_BYTES = 100_000_000  # of a header, as the safetensors library has it
FORMATS_BY_BITS = {
    4: ("F4",),
    6: ("F6_E2M3", "F6_E3M2"),
    8: ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"),
    16: ("U16", "I16", "F16", "BF16"),
    32: ("U32", "I32", "F32"),
    64: ("U64", "I64", "F64", "C64"),
}
BITS = {name: bits for bits, names in FORMATS_BY_BITS.items() for name in names}

Shape = tuple[int, ...]


class BadHeader(ValueError):
    """The header's problem, as text that follows the file's name in a sentence."""


@dataclass(frozen=True)
class TensorPlace:
    """One tensor: its number format, and its bytes in the file as (start, end), counted from the file's beginning."""

    dtype: str
    shape: Shape
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """`shapes` and `tensors` by name; `file_size` is the size in bytes that the whole file must have."""

    shapes: dict[str, Shape]
    metadata: dict[str, str]
    file_size: int
    tensors: dict[str, TensorPlace] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Read a file's header; compare `file_size` with the file to see if all tensors are there.

    Raises BadHeader for everything that the safetensors library refuses, and OSError.
    """
    text = _text(path)
    try:
        content = json.loads(text)
        metadata = dict(content.pop("__metadata__", {}))
        begin = LENGTH_BYTES + len(text)
        tensors = {name: _place(name, facts, begin) for name, facts in content.items()}
    except BadHeader:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadHeader("its header cannot be read") from error
    _refuse_gaps(tensors, begin)
    end = max((one.end for one in tensors.values()), default=begin)
    return Header({name: one.shape for name, one in tensors.items()}, metadata, end, tensors)


def _text(path: Path) -> bytes:
    facts = path.stat()
    if stat.S_ISDIR(facts.st_mode):
        raise BadHeader("it is a folder")
    if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for its writer
        raise BadHeader("it is not a regular file")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if facts.st_size < LENGTH_BYTES or length > min(MOST_BYTES, facts.st_size - LENGTH_BYTES):
            raise BadHeader("its header is cut off")
        return file.read(length)


def _place(name: str, facts: JsonObject, begin: int) -> TensorPlace:
    """One entry of the header; its bytes must be as many as its shape needs."""
    dtype, shape, offsets = facts["dtype"], facts["shape"], facts["data_offsets"]
    if not _whole_numbers(shape) or not _whole_numbers(offsets) or len(offsets) != 2:
        raise ValueError(name)
    if not isinstance(dtype, str) or dtype not in BITS:
        raise BadHeader(f"its tensor {name[:100]} has the unknown number format {str(dtype)[:40]!r}")
    start, end = offsets
    if 8 * (end - start) != math.prod(shape) * BITS[dtype]:
        raise BadHeader(f"its tensor {name[:100]} takes {end - start} bytes, which does not fit its shape")
    return TensorPlace(dtype, tuple(shape), begin + start, begin + end)


def _whole_numbers(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _refuse_gaps(tensors: dict[str, TensorPlace], begin: int) -> None:
    """Tensors must follow each other: no two share bytes, and no bytes are without a tensor."""
    expected = begin
    for name, place in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if place.start != expected:
            what = "shares bytes with another tensor" if place.start < expected else "does not follow the tensor before"
            raise BadHeader(f"its tensor {name[:100]} {what}")
        expected = place.end
