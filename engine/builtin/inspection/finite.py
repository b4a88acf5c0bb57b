"""NaN, infinity and untrained matrices in weights, found by the bits of the numbers (IEEE 754).

A bfloat16 is the upper half of a float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.interface.safetensors_header import TensorPlace, read_header

BLOCK = 256 * 1024  # bytes that are read at once: they stay in a core's cache
MOST_BYTES = 8 * 1024**3  # of a model; above it, a sample of each tensor is read
# By format: numpy's type for its bits, and the exponent's bits, which are all set in NaN and infinity alone.
EXPONENTS = {
    "F64": (np.uint64, 0x7FF0000000000000),
    "F32": (np.uint32, 0x7F800000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
    "F8_E5M2": (np.uint8, 0x7C),
}
ZERO, SAME, MIXED = "zero", "same", "mixed"
Progress = Callable[[int, int], None]


@dataclass
class Numbers:
    """What the numbers of weights are: the first (file, tensor) with NaN or infinity, and tensors that cannot be.

    `matrices` has, by file and tensor, for each tensor of two or more dimensions, what all its numbers are: ZERO, SAME
    or MIXED.
    """

    not_finite: tuple[Path, str] | None = None
    matrices: dict[Path, dict[str, str]] = field(default_factory=dict)


def first_not_finite(files: list[Path]) -> tuple[Path, str] | None:
    """(file, tensor) of the first tensor with NaN or infinity; None if there is none."""
    return look_at_numbers(files).not_finite


def look_at_numbers(files: list[Path], progress: Progress = lambda done, total: None) -> Numbers:
    """Read the numbers of these files, up to the first that is not finite.

    All numbers of models up to MOST_BYTES are read; of each tensor of a larger model, evenly spread blocks.
    """
    places = [(file, name, place) for file in files for name, place in read_header(file).tensors.items()]
    total = sum(place.end - place.start for _file, _name, place in places)
    step = max(1, -(-total // MOST_BYTES))
    found, done = Numbers(), 0
    for file, name, place in places:
        if place.dtype in EXPONENTS and not name.endswith("mask"):
            is_finite, content = _look_at(file, place, step)
            if not is_finite:
                found.not_finite = file, name
                return found
            if len(place.shape) > 1 and math.prod(place.shape) > 1:
                found.matrices.setdefault(file, {})[name] = content
        done += place.end - place.start
        progress(done, total)
    return found


def _look_at(file: Path, place: TensorPlace, step: int) -> tuple[bool, str]:
    """Whether all numbers are finite, and whether they are ZERO (or -0), all the SAME, or MIXED."""
    kind, exponent = EXPONENTS[place.dtype]
    bits, without_sign = kind(exponent), kind((1 << 8 * np.dtype(kind).itemsize - 1) - 1)
    first: np.unsignedinteger | None = None
    is_zero = is_same = True
    for block in _blocks(file, place, step):
        numbers = np.frombuffer(block, dtype=kind)
        if ((numbers & bits) == bits).any():
            return False, MIXED
        first = numbers[0].copy() if first is None and numbers.size else first
        is_zero = is_zero and not (numbers & without_sign).any()
        is_same = is_same and bool((numbers == first).all())
    return True, ZERO if is_zero else SAME if is_same else MIXED


def _blocks(file: Path, place: TensorPlace, step: int) -> Iterator[memoryview]:
    """Every step-th block of the tensor's bytes, and always the first; each is valid until the next is taken."""
    buffer = memoryview(bytearray(BLOCK))
    with file.open("rb", buffering=0) as opened:
        for start in range(place.start, place.end, BLOCK * step):
            opened.seek(start)
            yield buffer[: opened.readinto(buffer[: min(BLOCK, place.end - start)]) or 0]
