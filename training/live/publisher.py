"""Sending changes to browsers and scripts: one message, serialized once, to the channel layer's groups.

Messages carry only news. The database has the true state, so a lost message costs only a short delay.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from collections import deque

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from engine.interface.json_types import JsonObject
from training.models import Run, RunCommand
from training.progress.state import state_of

logger = logging.getLogger(__name__)
ALL_RUNS = "runs"
PATIENCE = 3.0  # seconds for one batch; a frozen Redis must not delay a click
MOST_WAITING = 2000  # messages; more means that the channel layer is unreachable, and the oldest are out of date

Message = tuple[str, str]


def group_of(run_id: uuid.UUID) -> str:
    """The channel-layer group of the clients that watch this run."""
    return f"run.{run_id}"


def envelope(kind: str, data: JsonObject) -> str:
    """A WebSocket message as text."""
    return json.dumps({"type": kind, "data": data}, cls=DjangoJSONEncoder, separators=(",", ":"))


def state_messages(run: Run) -> list[Message]:
    """(group, text) pairs with the current state, for all clients that watch the run."""
    return [(group_of(run.pk), envelope("training_state", state_of(run))), *_active_state()]


def _active_state() -> list[Message]:
    """The state for single-trainer clients: the active run, which may not be the changed run."""
    return [(ALL_RUNS, envelope("training_state", state_of(Run.objects.current())))]


def command_message(command: RunCommand) -> Message:
    """The message that a command was requested, delivered, done or refused."""
    data = {
        "run_id": str(command.run_id),
        "id": str(command.pk),
        "kind": command.kind,
        "status": command.status,
        "detail": command.detail,
        "requested_at": command.requested_at,
    }
    return group_of(command.run_id), envelope("command", data)


def announce(run: Run, command: RunCommand | None = None) -> None:
    """From the web process: send the state of a run to all its clients after the transaction."""

    def tell() -> None:
        messages = state_messages(run)
        if command is not None:
            messages.append(command_message(command))
        async_to_sync(send_all)(messages)

    transaction.on_commit(tell)


async def send_all(messages: list[Message], patience: float = PATIENCE) -> bool:
    """Pass the messages to the channel layer; return whether it took them. A run never fails because of this."""
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(patience):
            for group, text in messages:
                await layer.group_send(group, {"type": "push", "group": group, "text": text})
    except Exception as error:  # noqa: BLE001  any error of the layer's client when its server is unreachable
        why = str(error) or type(error).__name__
        logger.warning("The channel layer is unreachable, so pages fall back to polling: %s", why)
        return False
    return True


class Publisher:
    """The worker's publisher: a thread, so that a slow channel layer never delays reading the journal."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque(maxlen=MOST_WAITING)
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        work = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        work.start()

    def publish(self, messages: list[Message]) -> None:
        """Return at once; the messages are sent in their order."""
        if messages:
            self._waiting.extend(messages)
            self._loop.call_soon_threadsafe(self._news.set)

    async def _run(self) -> None:
        pause = 0.0
        while True:
            await self._news.wait()
            self._news.clear()
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            sent = await send_all(batch)
            pause = 0.0 if sent else min(10.0, pause * 2 + 0.5)
            await asyncio.sleep(pause)
