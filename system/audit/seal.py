"""The seal of the chain's head, and a copy of the head in a file: both are outside the reach of SQL."""

from __future__ import annotations

import fcntl
import hmac
import json
from pathlib import Path

from django.conf import settings
from django.utils.crypto import salted_hmac

from system.audit.models import AuditEntry, AuditHead

PURPOSE = "system.audit.head"
FILE = "audit_head.json"


def seal_of(head: AuditHead, key: str | bytes | None = None) -> str:
    """The MAC of the head's columns under the site's SECRET_KEY, or an older one."""
    text = f"{head.number} {head.hash} {head.cut_number} {head.cut_hash}"
    return salted_hmac(PURPOSE, text, secret=key, algorithm="sha256").hexdigest()


def is_sealed(head: AuditHead) -> bool:
    keys = [None, *settings.SECRET_KEY_FALLBACKS]
    return any(hmac.compare_digest(head.seal, seal_of(head, key)) for key in keys)


def file_of_head() -> Path:
    return Path(settings.DATA_DIR / FILE)


def remember(number: int, hash_: str) -> None:
    """Write the head's copy, unless the file has a later one; several processes may write at a time."""
    with file_of_head().open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if number <= _number_in(file.read()):
            return
        file.truncate(0)
        file.write(json.dumps({"number": number, "hash": hash_}))


def remembered() -> tuple[int, str]:
    """The head's copy; (0, "") if there is none. Raises ValueError if it is damaged."""
    try:
        found = json.loads(file_of_head().read_text() or "{}")
    except FileNotFoundError:
        return 0, ""
    return int(found.get("number", 0)), str(found.get("hash", ""))


def copy_fits() -> bool:
    """Whether the entry that the file names has the hash in the file; an entry that was cut off is not compared."""
    try:
        number, hash_ = remembered()
    except ValueError:
        return False
    head = AuditHead.objects.first()
    if number == 0 or (head is not None and number <= head.cut_number):
        return True
    return AuditEntry.objects.filter(number=number, hash=hash_).exists()


def _number_in(text: str) -> int:
    try:
        return int(json.loads(text)["number"])
    except (ValueError, KeyError, TypeError):
        return 0  # new, or damaged by a full disk: it is written anew
