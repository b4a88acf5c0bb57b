"""A finding: its level, a sentence, what to do about it, and how to repair it if that is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.interface.json_types import JsonObject

FINE, NOTE, LOOK, WRONG, UNKNOWN, MENDED = "fine", "note", "look at", "wrong", "unknown", "mended"
FOUND = (LOOK, WRONG)

Mend = Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """`mend` repairs it and returns a sentence about that; the examination fills in `subject`."""

    level: str
    sentence: str
    cure: str = ""
    mend: Mend | None = None
    subject: str = ""

    def to_dict(self) -> JsonObject:
        return {
            "subject": self.subject,
            "level": self.level,
            "sentence": self.sentence,
            "cure": self.cure,
            "can_be_mended": self.mend is not None,
        }


@dataclass(frozen=True)
class Asked:
    """How thorough the examination is, and the heartbeat to send while it takes its time."""

    beat: Callable[[], object] = lambda: None
    hash_seconds: float = 60.0  # how long files are read for their hashes, newest first


Look = Callable[[Asked], Iterator[Finding]]


def fine(sentence: str) -> Finding:
    return Finding(FINE, sentence)


def note(sentence: str, cure: str = "", mend: Mend | None = None) -> Finding:
    """Worth a line in the report, but no problem."""
    return Finding(NOTE, sentence, cure, mend)


def look_at(sentence: str, cure: str = "", mend: Mend | None = None) -> Finding:
    """A problem, but the site works."""
    return Finding(LOOK, sentence, cure, mend)


def wrong(sentence: str, cure: str = "", mend: Mend | None = None) -> Finding:
    """A part does not work, or data was lost."""
    return Finding(WRONG, sentence, cure, mend)


def unknown(sentence: str, cure: str = "") -> Finding:
    """It could not be examined."""
    return Finding(UNKNOWN, sentence, cure)


MEND = "run `manage.py doctor --mend`"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Such as `1 run` and `1,200 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def counted_are(number: int, noun: str, plural: str = "") -> str:
    """Such as `1 run is` and `1,200 runs are`."""
    return f"{counted(number, noun, plural)} {'is' if number == 1 else 'are'}"
