"""NaN and infinity in weights, found by the bits of the numbers (IEEE 754; for bfloat16 the upper half of float32)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
Progress = Callable[[int, int], None]


def first_not_finite(files: list[Path], progress: Progress = lambda done, total: None) -> tuple[Path, str] | None:
    """(file, tensor) of the first tensor with NaN or infinity; None if there is none.

    All numbers of models up to MOST_BYTES are read; of each tensor of a larger model, evenly spread blocks.
    """
    places = [(file, name, place) for file in files for name, place in read_header(file).tensors.items()]
    total = sum(place.end - place.start for _file, _name, place in places)
    step = max(1, -(-total // MOST_BYTES))
    done = 0
    for file, name, place in places:
        if place.dtype in EXPONENTS and not name.endswith("mask") and not _is_finite(file, place, step):
            return file, name
        done += place.end - place.start
        progress(done, total)
    return None


def _is_finite(file: Path, place: TensorPlace, step: int) -> bool:
    kind, exponent = EXPONENTS[place.dtype]
    bits = kind(exponent)
    for block in _blocks(file, place, step):
        numbers = np.frombuffer(block, dtype=kind)
        if ((numbers & bits) == bits).any():
            return False
    return True


def _blocks(file: Path, place: TensorPlace, step: int) -> Iterator[memoryview]:
    """Every step-th block of the tensor's bytes, and always the first; each is valid until the next is taken."""
    buffer = memoryview(bytearray(BLOCK))
    with file.open("rb", buffering=0) as opened:
        for start in range(place.start, place.end, BLOCK * step):
            opened.seek(start)
            yield buffer[: opened.readinto(buffer[: min(BLOCK, place.end - start)]) or 0]
