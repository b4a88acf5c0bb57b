"""Removes the place where a photo was taken: the GPS data of EXIF and XMP are blanked, everything else stays.

The bytes are overwritten where they are, so that all offsets within the file stay right and no pixel changes. The forms
are those of CIPA DC-008 (EXIF) and Adobe's XMP; PNG's chunks get a new checksum.
"""

from __future__ import annotations

import io
import re
import struct
import zlib

from engine.builtin.reading.headers import PNG, png_chunks

GPS_POINTER = 0x8825
TIFF_STARTS = (b"II*\x00", b"MM\x00*")
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of a value, by its type
MOST_ENTRIES = 200  # of a folder of tags: more stands for a broken file
XMP_TEXT = re.compile(rb"""(GPS\w+\s*=\s*)("[^"]*"|'[^']*')|(GPS\w+\s*>)([^<]*)(<)""")
EXIF_MARK = b"Exif\x00\x00"


def without_position(data: bytes) -> bytes:
    """The file's bytes without the place where it was taken; the same object if it names none."""
    blanked = bytearray(data)
    for start in _tiff_starts(data):
        _blank_gps(blanked, start)
    _blank_xmp(blanked)
    if blanked == data:
        return data
    if data.startswith(PNG):
        _renew_checksums(blanked)
    return bytes(blanked)


def _tiff_starts(data: bytes) -> set[int]:
    """Where EXIF data begin: behind their mark, in PNG's chunk, in WebP's chunk, and at the start of a TIFF file."""
    starts = {0} if data[:4] in TIFF_STARTS else set()
    for mark in (EXIF_MARK, b"eXIf", b"EXIF"):
        at = data.find(mark)
        while at >= 0:
            behind = at + len(mark) + (4 if mark == b"EXIF" else 0)  # WebP writes the chunk's size in between
            starts |= {place for place in (behind, behind + 6) if data[place : place + 4] in TIFF_STARTS}
            at = data.find(mark, at + 1)
    return starts


def _blank_gps(data: bytearray, start: int) -> None:
    """Empty the folder of GPS tags of the EXIF data at `start`; broken data stay as they are."""
    order = "<" if data[start : start + 1] == b"I" else ">"
    try:
        (first,) = struct.unpack_from(f"{order}I", data, start + 4)
        for entry in _entries(data, start + first, order):
            tag, _kind, _count, value = struct.unpack_from(f"{order}HHII", data, entry)
            if tag == GPS_POINTER:
                _empty_folder(data, start, start + value, order)
    except struct.error:
        return


def _entries(data: bytearray, folder: int, order: str) -> range:
    (count,) = struct.unpack_from(f"{order}H", data, folder)
    return range(folder + 2, folder + 2 + 12 * min(count, MOST_ENTRIES), 12)


def _empty_folder(data: bytearray, start: int, folder: int, order: str) -> None:
    entries = _entries(data, folder, order)
    for entry in entries:
        _tag, kind, count, value = struct.unpack_from(f"{order}HHII", data, entry)
        length = SIZES.get(kind, 1) * count
        if 4 < length <= len(data) - start - value:
            data[start + value : start + value + length] = bytes(length)
    data[folder : entries.stop] = bytes(entries.stop - folder)


def _blank_xmp(data: bytearray) -> None:
    if b"GPS" not in data or b"x:xmpmeta" not in data:
        return
    for found in XMP_TEXT.finditer(bytes(data)):
        start, end = found.span(2) if found[2] else found.span(4)
        if found[2]:
            start, end = start + 1, end - 1
        data[start:end] = b" " * (end - start)


def _renew_checksums(data: bytearray) -> None:

    for _kind, at, size in list(png_chunks(io.BytesIO(bytes(data)))):
        if at + size <= len(data):
            struct.pack_into(">I", data, at + size - 4, zlib.crc32(data[at + 4 : at + size - 4]))
