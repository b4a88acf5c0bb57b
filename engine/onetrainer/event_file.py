"""The records of a TensorBoard event file, and the scalars in a record, read without TensorBoard.

Framing: https://www.tensorflow.org/tutorials/load_data/tfrecord ("TFRecords format details"), with CRC-32C (RFC 3720,
appendix B.4). Messages: `event.proto`, `summary.proto`, `tensor.proto` and `tensor_shape.proto` of TensorBoard, in
protobuf's wire format, https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

HEAD = struct.Struct("<QI")  # a record's length, and the length's checksum
FRAME = HEAD.size + 4  # bytes of a record around its content; the content's checksum follows it
POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed
VARINT, EIGHT_BYTES, SIZED, FOUR_BYTES = 0, 1, 2, 5  # protobuf's wire types
LENGTHS = {EIGHT_BYTES: 8, FOUR_BYTES: 4}
# For each number type of a tensor: its layout in `tensor_content`, and the field that holds its values otherwise.
FLOAT, DOUBLE, INT32, INT64 = 1, 2, 3, 9
LAYOUTS = {FLOAT: "<f", DOUBLE: "<d", INT32: "<i", INT64: "<q"}
VALUE_FIELDS = {FLOAT: 5, DOUBLE: 6, INT32: 7, INT64: 10}


class Damaged(ValueError):
    """The bytes are not a message of this kind."""


class Value(NamedTuple):
    tag: str
    number: float


class Event(NamedTuple):
    step: int
    time: float
    values: list[Value]


# -- framing -------------------------------------------------------------------------------------------------------


def whole_records(path: Path, start: int) -> Iterator[bytes]:
    """The contents of the records from this byte on, up to an incomplete or damaged record, or to the end."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return  # the file was deleted
    with file:
        file.seek(start)
        while (content := _record(file)) is not None:
            yield content


def _record(file: BinaryIO) -> bytes | None:
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, check = HEAD.unpack(head)
    if _checksum(head[:8]) != check or length + 4 > os.fstat(file.fileno()).st_size - file.tell():
        return None
    content = file.read(length)
    return content if file.read(4) == _checksum(content).to_bytes(4, "little") else None


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [_table_entry(byte) for byte in range(256)]


def _checksum(content: bytes) -> int:
    """CRC-32C, rotated and shifted, so that the checksum of data that holds checksums is not a trivial one."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


# -- messages ------------------------------------------------------------------------------------------------------


def read_event(record: bytes) -> Event:
    """Step, time and numbers of a record; raises Damaged."""
    step, time = 0, 0.0
    values: list[Value] = []
    for field, kind, content in _fields(record):
        if (field, kind) == (1, EIGHT_BYTES):
            (time,) = struct.unpack("<d", content)
        elif (field, kind) == (2, VARINT):
            step = _signed(content)
        elif (field, kind) == (5, SIZED):
            values += _summary(content)
    return Event(step, time, values)


def _summary(message: bytes) -> Iterator[Value]:
    for field, kind, content in _fields(message):
        if (field, kind) == (1, SIZED) and (value := _value(content)) is not None:
            yield value


def _value(message: bytes) -> Value | None:
    """A summary's value, or None for pictures, histograms and other values that are no numbers."""
    tag, number = "", None
    for field, kind, content in _fields(message):
        if (field, kind) == (1, SIZED):
            tag = _text(content)
        elif (field, kind) == (2, FOUR_BYTES):
            (number,) = struct.unpack("<f", content)
        elif (field, kind) == (8, SIZED):
            number = _tensor(content)
    return None if number is None else Value(tag, number)


def _tensor(message: bytes) -> float | None:
    """The number in a tensor without dimensions; None for other tensors."""
    fields = [(field, content) for field, _, content in _fields(message)]
    types = [_signed(content) for field, content in fields if field == 1]
    shapes = [content for field, content in fields if field == 2]
    kind = types[-1] if types else 0
    if kind not in LAYOUTS or any(field == 2 for shape in shapes for field, _, _ in _fields(shape)):
        return None
    layout = LAYOUTS[kind]
    for field, content in fields:
        if field == 4 and len(content) == struct.calcsize(layout):
            return float(struct.unpack(layout, content)[0])
        if field == VALUE_FIELDS[kind] and content:
            return _first(content, layout)
    return None


def _first(content: bytes, layout: str) -> float:
    """The first of a tensor's values: integers are written as varints, others as they are."""
    if layout in ("<i", "<q"):
        return float(_signed(content))
    if len(content) < struct.calcsize(layout):
        raise Damaged("a number is cut off")
    return float(struct.unpack_from(layout, content)[0])


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each field's number, wire type and bytes."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == VARINT:
            _, end = _varint(message, position)
        elif kind == SIZED:
            length, position = _varint(message, position)
            end = position + length
        elif kind in LENGTHS:
            end = position + LENGTHS[kind]
        else:
            raise Damaged(f"wire type {kind} is not known")
        if end > len(message):
            raise Damaged("a field is cut off")
        yield key >> 3, kind, message[position:end]
        position = end


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """The number that begins there, seven bits a byte, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise Damaged("a number is cut off")
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise Damaged("a number has no end")


def _signed(content: bytes) -> int:
    number = _varint(content, 0)[0] & 0xFFFFFFFFFFFFFFFF
    return number - (1 << 64) if number >> 63 else number


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Damaged("a tag is no text") from error
