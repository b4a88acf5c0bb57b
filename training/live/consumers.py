"""The WebSockets `/ws`, for single-trainer clients, and `/ws/runs/<id>`, for one run.

A refused socket is accepted and closed at once, so that a browser gets the reason: 4401 not signed in, 4404 unknown run
or address. A foreign Host or Origin is refused before that, with 403. An open socket is closed with 4401 within 15
seconds after its session, its token or its user's permission to sign in has ended. Beyond a person's limits of
sockets and messages it is closed with 4429.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from training.live.hub import Hub
from training.live.leave_with_sign_in import SignedIn
from training.live.outbox import Client
from training.live.publisher import ALL_RUNS, envelope, group_of
from training.models import Run
from training.progress.state import state_of
from web.limits.sockets import SOCKETS, TOO_MANY

logger = logging.getLogger(__name__)
NOT_SIGNED_IN = 4401
NOT_FOUND = 4404
FAILED = 1011
PONG = '{"type":"pong"}'
NOT_UNDERSTOOD = envelope("error", {"detail": "Unknown message: send only the text ping."})


class RunGone(Exception):
    """The run was deleted."""


class LiveConsumer(AsyncWebsocketConsumer):
    """Joins the hub, sends the current state, and then all news."""

    channel_layer_alias = "none"  # the hub subscribes to the channel layer for all sockets

    def __init__(self) -> None:
        super().__init__()
        self.client: Client | None = None
        self.writing: asyncio.Task[None] | None = None
        self.is_counted = self.is_over = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count the socket as closed however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.is_counted:
                SOCKETS.close(scope["user"].pk)

    @property
    def group(self) -> str:
        return ALL_RUNS

    def current_run(self) -> Run | None:
        return Run.objects.current()

    async def read_state(self, kind: str) -> str:
        text: str = await database_sync_to_async(lambda: envelope(kind, state_of(self.current_run())))()
        return text

    async def exists(self) -> bool:
        return True

    # -- the socket's life -------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.accept()
        if not self.scope["user"].is_authenticated:
            await self.close(NOT_SIGNED_IN)
        elif not await self.exists():
            await self.close(NOT_FOUND)
        elif not SOCKETS.open(self.scope["user"].pk):
            await self.close(TOO_MANY)
        else:
            self.is_counted = True
            SignedIn.of_this_process().add(self.scope["credential"], self._sign_out)
            self.client = Client(self.read_state)
            await Hub.of_this_process().join(self.group, self.client, self.read_state)
            self.writing = asyncio.create_task(self._write(self.client))

    async def _sign_out(self) -> None:
        await self.close(NOT_SIGNED_IN)

    async def _write(self, client: Client) -> None:
        try:
            await client.write(self.send)
        except RunGone:
            await self.close(NOT_FOUND)
        except Exception:
            logger.exception("A WebSocket failed; its client will connect again.")
            await self.close(FAILED)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.client is None or self.is_over:
            return
        if not SOCKETS.take_message(self.scope["user"].pk):
            self.is_over = True  # messages that came already are dropped
            await self.close(TOO_MANY)
        else:
            kind, text = ("pong", PONG) if text_data == "ping" else ("error", NOT_UNDERSTOOD)
            self.client.tell(kind, text)

    async def disconnect(self, code: int) -> None:
        SignedIn.of_this_process().discard(self._sign_out)
        if self.writing is not None:
            self.writing.cancel()
        if self.client is not None:
            await Hub.of_this_process().leave(self.group, self.client)


class RunConsumer(LiveConsumer):
    """The same for one run, with its metrics, log, artifacts and commands."""

    @property
    def run_id(self) -> Any:
        return self.scope["url_route"]["kwargs"]["run_id"]

    @property
    def group(self) -> str:
        return group_of(self.run_id)

    def current_run(self) -> Run:
        run = Run.objects.filter(pk=self.run_id).first()
        if run is None:
            raise RunGone
        return run

    async def exists(self) -> bool:
        return await Run.objects.filter(pk=self.run_id).aexists()


class NoSuchAddress(AsyncWebsocketConsumer):
    """An unknown WebSocket address."""

    channel_layer_alias = "none"

    async def connect(self) -> None:
        await self.accept()
        await self.close(NOT_FOUND)
