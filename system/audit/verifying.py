"""Verifying the chain: the first link that does not hold, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from system.audit import seal
from system.audit.log import SEAL_BROKEN
from system.audit.models import START, AuditEntry, AuditHead

CHUNK = 2_000


class Broken(Exception):
    """A link of the chain does not hold."""


@dataclass
class Verdict:
    """How many entries were read; why the chain is broken, if it is; and what an admin should know besides."""

    count: int = 0
    broken: str = ""
    notes: list[str] = field(default_factory=list)


def verify() -> Verdict:
    """Read the whole chain. Entries that are written during this time are left for the next time."""
    verdict = Verdict()
    try:
        head = AuditHead.objects.first() or AuditHead()
        _check_entries(head, verdict)
        _check_head(head)
        _check_copy(head)
    except Broken as broken:
        later = AuditHead.objects.first()
        if later is not None and head.cut_number != later.cut_number:
            return verify()  # old entries were cut off while they were read
        verdict.broken = str(broken)
    return verdict


def _check_entries(head: AuditHead, verdict: Verdict) -> None:
    number, hash_ = head.cut_number, head.cut_hash if head.cut_number else START
    for entry in _entries(head):
        if entry.number <= head.cut_number:
            raise Broken(f"Entry {entry.number} was cut off, and is back: it was inserted by hand.")
        if entry.number != number + 1:
            raise Broken(_missing(number + 1, entry.number - 1))
        if entry.own_hash() != entry.hash:
            raise Broken(f"Entry {entry.number} was changed: its content does not fit its hash.")
        if entry.previous != hash_:
            raise Broken(f"Entry {entry.number} does not follow entry {number}: one of them was replaced.")
        if entry.action == SEAL_BROKEN:
            _take_note(entry, verdict)
        number, hash_ = entry.number, entry.hash
        verdict.count += 1
    if number < head.number:
        raise Broken(f"{_missing(number + 1, head.number)} The end of the log was cut off.")
    if hash_ != head.hash:
        raise Broken(f"Entry {number} does not have the hash in the head of the chain: it was replaced.")


def _entries(head: AuditHead) -> Iterator[AuditEntry]:
    """Up to the head; and beyond it none that the head of a moment later does not know."""
    yield from AuditEntry.objects.filter(number__lte=head.number).order_by("number").iterator(chunk_size=CHUNK)
    newest = AuditEntry.objects.first()
    known = AuditHead.objects.first()
    if newest is not None and newest.number > max(head.number, known.number if known else 0):
        raise Broken(f"Entry {newest.number} is beyond the end of the chain: it was inserted by hand.")


def _missing(first: int, last: int) -> str:
    return f"Entry {first} is missing." if first == last else f"Entries {first} to {last} are missing."


def _take_note(entry: AuditEntry, verdict: Verdict) -> None:
    """A changed SECRET_KEY is no attack, but a log that had another past than the copy of its head says is one."""
    if not (entry.after_value or {}).get("copy_fits"):
        raise Broken(f"Before entry {entry.number} the log was replaced: it did not fit the copy in {seal.FILE}.")
    verdict.notes.append(
        f"Entry {entry.number}: the head's seal did not fit then. SECRET_KEY was changed before, or the head was."
    )


def _check_head(head: AuditHead) -> None:
    if head.number and not seal.is_sealed(head):
        raise Broken(
            f"The head of the chain (entry {head.number}) was changed: its seal does not fit. If SECRET_KEY was "
            "changed on purpose, list the old key in SECRET_KEY_FALLBACKS."
        )


def _check_copy(head: AuditHead) -> None:
    """The file's copy is of this head, or of an earlier or later one."""
    try:
        number, _ = seal.remembered()
    except ValueError:
        raise Broken(f"{seal.file_of_head()} is damaged: restore it from a backup, or remove it.") from None
    now = AuditHead.objects.first()
    if number > max(head.number, now.number if now else 0):
        raise Broken(
            f"{_missing(head.number + 1, number)} {seal.file_of_head()} knows them: the end of the log was cut off, "
            "together with its head. If you restored an older database on purpose, remove that file."
        )
    if not seal.copy_fits():
        raise Broken(f"Entry {number} does not have the hash in {seal.file_of_head()}: the log was replaced.")
