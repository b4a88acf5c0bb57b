"""Text files as users save them: their encoding and line ends recognized. No torch."""

from __future__ import annotations

import codecs
import itertools
import re

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins the same
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LINE_END = re.compile(r"\r\n|\r|\n")  # as Python's text files have them, so that a line is what OneTrainer reads as one
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
NULS_OF_UTF16 = 0.25  # share of bytes from which NULs are halves of letters
MOST_HIGH = 0.4  # share of bytes above ASCII in a text of a Latin alphabet

FULL_LINE = 60  # letters from which a line may have been broken

# What reading a text took to make sense of it.
GUESSED, CLEANED = "guessed", "cleaned"


class NotText(ValueError):
    """The bytes are no text in a known encoding."""


def decode_text(data: bytes) -> tuple[str, frozenset[str]]:
    """The text, and GUESSED if its encoding was, CLEANED if control characters were removed. Raises NotText."""
    text, notes = _decode(data)
    clean = CONTROL.sub("", text)
    return clean, notes | {CLEANED} if clean != text.removeprefix("\ufeff") else notes


def lines_of(text: str) -> tuple[str, ...]:
    """The lines that are not empty, without space at their ends."""
    return tuple(line for part in LINE_END.split(text) if (line := part.strip()))


def is_broken(text: str) -> bool:
    """True if the lines seem to be paragraphs, or one sentence that was broken where a line was full."""
    lines = [line.strip() for line in LINE_END.split(text.strip())]
    if "" in lines:
        return len(max(lines, key=len)) >= FULL_LINE
    return any(
        len(line) >= FULL_LINE and line[-1].isalnum() and following[:1].islower()
        for line, following in itertools.pairwise(lines)
    )


def _decode(data: bytes) -> tuple[str, frozenset[str]]:
    plain: frozenset[str] = frozenset()
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _decode_as(data, encoding), plain
    if data.count(0) >= NULS_OF_UTF16 * len(data) > 0:
        return _utf_16(data), plain
    try:
        return data.decode(), plain
    except UnicodeDecodeError:
        return (_utf_16(data), plain) if 0 in data else (_latin(data), frozenset({GUESSED}))


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotText("it is not text in a known encoding") from error


def _utf_16(data: bytes) -> str:
    """UTF-16 without its mark: the zero bytes, halves of letters and spaces, are at its odd or even places."""
    return _decode_as(data, "utf-16-le" if data[1::2].count(0) >= data[::2].count(0) else "utf-16-be")


def _latin(data: bytes) -> str:
    """Windows' Latin alphabet; other 8-bit alphabets would be read as nonsense and are refused."""
    if sum(byte > 127 for byte in data) > MOST_HIGH * len(data):
        raise NotText("it is not text in a known encoding")
    return _decode_as(data, "cp1252")
