"""Tickets for WebSockets: made with POST by a signed-in client, for the address of one WebSocket, valid for a minute.

A browser cannot send headers with a WebSocket. A token in an address is written to logs of servers and proxies, so only
such a ticket may be there: it works once, and for nothing else.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.utils.timezone import now

from system.account.credentials import Credential
from system.account.tokens import digest_of
from system.models import SocketTicket
from web.permissions import limit_to_scope

PREFIX = "wst_"
LIFETIME = timedelta(seconds=60)


def new_ticket(credential: Credential) -> str:
    """A ticket whose socket ends when the credential ends."""
    SocketTicket.objects.filter(valid_until__lt=now()).delete()
    text = PREFIX + secrets.token_urlsafe(30)
    SocketTicket.objects.create(
        digest=digest_of(text),
        user_id=credential.user_id,
        token_id=credential.token_id,
        session_key=credential.session_key,
        auth_hash=credential.auth_hash,
        valid_until=now() + LIFETIME,
        ends_at=None if credential.ends_at is None else datetime.fromtimestamp(credential.ends_at, UTC),
    )
    return text


def redeem(text: str) -> tuple[User, Credential] | None:
    """Use up the ticket; None if it was used, expired or never made. Of two simultaneous uses one succeeds."""
    ticket = SocketTicket.objects.filter(digest=digest_of(text), valid_until__gt=now(), user__is_active=True)
    found = ticket.select_related("user", "token").first()
    if found is None or not SocketTicket.objects.filter(pk=found.pk).delete()[0]:
        return None
    user = limit_to_scope(found.user, found.token.scope) if found.token else found.user
    ends_at = found.ends_at.timestamp() if found.ends_at else None
    return user, Credential(found.user_id, found.session_key, found.token_id, found.auth_hash, ends_at)
