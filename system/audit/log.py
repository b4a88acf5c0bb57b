"""Appending to the audit log: one entry at a time over all processes, since each locks the head of the chain."""

from __future__ import annotations

import getpass
import os
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.timezone import now

from system.audit import seal
from system.audit.models import AuditEntry, AuditHead
from system.audit.thing import Thing, as_json, line
from system.audit.trace import current
from web.proxies import client_address

THE_ROW = 1
CUT_AT_ONCE = 10_000  # entries
SEAL_BROKEN, CUT = "audit.seal_broken", "audit.cut"


def record(
    action: str,
    *,
    actor: AbstractBaseUser | str | None = None,
    request: HttpRequest | None = None,
    thing: Model | Thing | None = None,
    before: Any = None,
    after: Any = None,
) -> AuditEntry:
    """Append one entry; the package's docstring says how to call it."""
    trace = current()
    trace.count += 1
    request = _plain_request(request) or trace.request
    who = actor or _user_of(request) or trace.actor or ("" if request else _terminal())
    entry = _entry(action, who, request, Thing.of(thing))
    entry.before, entry.after = as_json(before), as_json(after)
    with transaction.atomic():
        head = _locked_head()
        _append(head, entry)
        _cut_off_old(head)
    return entry


def _entry(action: str, who: AbstractBaseUser | str, request: HttpRequest | None, thing: Thing) -> AuditEntry:
    """The entry without its values and its place in the chain."""
    return AuditEntry(
        actor_id="" if isinstance(who, str) else str(who.pk),
        actor_name=line(who if isinstance(who, str) else who.get_username(), 200),
        address=line(client_address(request), 64) if request else "",
        means=line(_means_of(request), 100),
        action=line(action, 80),
        kind=line(thing.kind, 80),
        thing_id=line(thing.id, 100),
        thing_name=line(thing.name, 300),
    )


def _plain_request(request: Any) -> HttpRequest | None:
    """Django REST framework wraps the request."""
    return getattr(request, "_request", request)


def _user_of(request: HttpRequest | None) -> AbstractBaseUser | None:
    user = getattr(request, "user", None)
    return user if isinstance(user, AbstractBaseUser) and user.pk else None


def _means_of(request: HttpRequest | None) -> str:
    """How the person is known: by a token, with its name if it has one, or by a session."""
    if request is None:
        return "worker" if current().actor else "terminal"
    token = getattr(request, "auth", None)
    if token is not None:
        return f"token {getattr(token, 'name', '')}".strip()
    return "session" if _user_of(request) else ""


def _terminal() -> str:
    """The system's user, whose command or worker acts without a request."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a container's user may have no name


def _locked_head() -> AuditHead:
    """The chain's end, which no other process can read for writing until this transaction ends."""
    rows = AuditHead.objects.select_for_update()
    head = rows.filter(pk=THE_ROW).first()
    if head is None:
        AuditHead.objects.get_or_create(pk=THE_ROW)
        head = rows.get(pk=THE_ROW)
    last = AuditEntry.objects.order_by("-number").first()
    is_new = last is None and head.number == 0
    if not is_new and (not seal.is_sealed(head) or last is None or last.number != head.number):
        _note_broken_seal(head, last)
    return head


def _note_broken_seal(head: AuditHead, last: AuditEntry | None) -> None:
    """Continue after the last entry there is, and keep for ever that something did not fit."""
    seen = {"head": head.number, "last": last.number if last else 0, "copy_fits": seal.copy_fits()}
    if last is not None and last.number > head.number:
        head.number, head.hash = last.number, last.hash
    _append(head, _own(SEAL_BROKEN, seen))


def _own(action: str, facts: dict[str, Any]) -> AuditEntry:
    """An entry about the log itself."""
    return AuditEntry(action=action, actor_name="audit log", after=as_json(facts))


def _append(head: AuditHead, entry: AuditEntry) -> None:
    entry.number, entry.previous, entry.at = head.number + 1, head.hash, now()
    entry.hash = entry.own_hash()
    entry.save(force_insert=True)
    head.number, head.hash = entry.number, entry.hash
    _save(head)
    transaction.on_commit(partial(seal.remember, entry.number, entry.hash), robust=True)  # the file's disk may be full


def _save(head: AuditHead) -> None:
    head.seal = seal.seal_of(head)
    head.save()


def _cut_off_old(head: AuditHead) -> None:
    """Delete the entries older than AUDIT_DAYS; the head keeps the last one's hash, and so does a new entry."""
    limit = now() - timedelta(days=settings.AUDIT_DAYS)
    oldest = AuditEntry.objects.order_by("number").first()
    if not settings.AUDIT_DAYS or oldest is None or oldest.at >= limit:
        return
    kept = AuditEntry.objects.filter(at__gte=limit).order_by("number").values_list("number", flat=True)[0]
    last = AuditEntry.objects.filter(number__lt=min(kept, oldest.number + CUT_AT_ONCE)).first()
    assert last is not None  # the oldest is one of them
    head.cut_number, head.cut_hash = last.number, last.hash
    _save(head)
    count = AuditEntry.objects.all().cut_off(last.number)
    facts = {"last": last.number, "hash": last.hash, "count": count, "until": last.at.isoformat()}
    _append(head, _own(CUT, facts))
