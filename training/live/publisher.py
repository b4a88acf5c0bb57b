"""Telling browsers and scripts what changed: one message, serialized once, to the channel layer's groups.

What is sent here is only the news. The truth is in the database, so a lost message costs nothing but a moment.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import uuid
from collections import deque
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from training.models import Run, RunCommand
from training.progress.state import state_of

logger = logging.getLogger(__name__)
ALL_RUNS = "runs"
PATIENCE = 3.0  # seconds for one batch; a Redis that is frozen must not hold up a click
MOST_WAITING = 2000  # messages; more means that the channel layer is away, and the oldest are of no use any more

Message = tuple[str, str]


def group_of(run_id: uuid.UUID) -> str:
    """The channel-layer group of those who watch this run."""
    return f"run.{run_id}"


def envelope(kind: str, data: dict[str, Any]) -> str:
    """A WebSocket message as text."""
    return json.dumps({"type": kind, "data": data}, cls=DjangoJSONEncoder, separators=(",", ":"))


def state_messages(run: Run) -> list[Message]:
    """(group, text) pairs that bring all watchers of the run up to date."""
    return [(group_of(run.pk), envelope("training_state", state_of(run))), *_active_state()]


def _active_state() -> list[Message]:
    """What a single-trainer client sees: the active run, which may be another than the one that changed."""
    return [(ALL_RUNS, envelope("training_state", state_of(Run.objects.current())))]


def command_message(command: RunCommand) -> Message:
    """The news that a command was requested, delivered, done or refused."""
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
    """From the web process: tell all watchers how a run stands now, once the transaction is through."""

    def tell() -> None:
        messages = state_messages(run)
        if command is not None:
            messages.append(command_message(command))
        async_to_sync(send_all)(messages)

    transaction.on_commit(tell)


async def send_all(messages: list[Message]) -> bool:
    """Hand the messages to the channel layer; say whether it took them. A run never fails for want of an audience."""
    layer = get_channel_layer()
    try:
        async with asyncio.timeout(PATIENCE):
            for group, text in messages:
                await layer.group_send(group, {"type": "push", "group": group, "text": text})
    except Exception as error:  # noqa: BLE001  whatever the layer's client raises when its server is away
        why = str(error) or type(error).__name__
        logger.warning("The channel layer is away, so pages fall back to polling: %s", why)
        return False
    return True


class Publisher:
    """The worker's way to publish: a thread of its own, so that a slow channel layer never holds up the reading."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque(maxlen=MOST_WAITING)
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        work = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        work.start()

    def publish(self, messages: list[Message]) -> None:
        """Return at once; the messages go out in their order."""
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
