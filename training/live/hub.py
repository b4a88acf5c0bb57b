"""One hub per web process: it joins the channel layer once for all sockets, and fans out in memory.

If each socket joined the channel layer's groups, each message would cost one delivery per socket there and here. The
database has the true state: if messages may have been lost, clients get the whole state again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from engine.interface.json_types import JsonObject
from training.live.outbox import Client, ReadState, Topic, live_message

logger = logging.getLogger(__name__)
PROBE_SECONDS = 2.0  # how often the channel layer is tested
ANSWER_SECONDS = 1.0  # how long a reply may take
POLL_SECONDS = 3.0  # how often the database is checked for lost messages and silent workers


class Hub:
    """The process's only subscriber to the channel layer; it runs while there are clients."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.probe_seconds, self.poll_seconds = PROBE_SECONDS, POLL_SECONDS
        self._topics: dict[str, Topic] = {}
        self._joining: dict[str, asyncio.Task[bool]] = {}
        self._work: asyncio.Task[None] | None = None
        self._channel = ""
        self._own_group = f"hub.{uuid.uuid4().hex}"
        self._opened = asyncio.Event()
        self._probes: dict[str, asyncio.Future[None]] = {}
        self._is_live = True

    @classmethod
    def of_this_process(cls) -> Hub:
        """The hub of the running event loop; a web process has one loop."""
        return cls._hubs.setdefault(asyncio.get_running_loop(), cls())

    async def join(self, group: str, client: Client, read_state: ReadState) -> None:
        """Send the group's messages to the client from now on; `read_state` makes a message of the whole state.

        Every message published after this returns arrives, so a state that is read afterwards leaves no gap. If the
        channel layer is unreachable, this does not wait: the hub sends the state when the layer is back.
        """
        if self._work is None:
            self._work = asyncio.create_task(self._keep_subscribed())
        topic = self._topics.get(group)
        if topic is None:
            topic = self._topics[group] = Topic(read_state)
            self._joining[group] = asyncio.create_task(self._subscribe(group))
        topic.clients.add(client)
        if not self._is_live:
            client.tell("live", live_message(False))
        await asyncio.wait([self._joining[group]], timeout=2 * ANSWER_SECONDS)

    async def leave(self, group: str, client: Client) -> None:
        """The opposite of `join`; the last client to leave ends the subscription."""
        topic = self._topics.get(group)
        if topic is None or client not in topic.clients:
            return
        topic.clients.remove(client)
        if not topic.clients:
            topic.close()
            del self._topics[group]
            self._joining.pop(group).cancel()
            if self._opened.is_set():
                await self._done(self._layer.group_discard(group, self._channel))
        if not self._topics and self._work is not None:
            self._work.cancel()
            self._work = None

    # -- the subscription --------------------------------------------------------------------------------------

    @property
    def _layer(self) -> Any:
        return get_channel_layer()

    async def _keep_subscribed(self) -> None:
        """Open the subscription, test it regularly, and reopen it if it does not answer."""
        try:
            if not await self._open():
                await self._bring_back()
            while True:
                await self._listen()
                logger.warning("The channel layer does not answer: clients get the state by polling the database.")
                await self._bring_back()
        finally:
            self._opened.clear()
            await self._done(self._layer.group_discard(self._own_group, self._channel))

    async def _bring_back(self) -> None:
        """Send clients the state in the database until the channel layer is back, and then the whole state once."""
        self._opened.clear()
        self._tell_whether_live(False)
        while not await self._done(self._layer.flush()) or not await self._open():
            await self._poll()
            await asyncio.sleep(self.probe_seconds)
        for topic in list(self._topics.values()):
            await topic.tell_anew()
        self._tell_whether_live(True)

    def _tell_whether_live(self, is_live: bool) -> None:
        """Tell clients that they get no news for a while and have to poll."""
        if is_live != self._is_live:
            self._is_live = is_live
            for topic in self._topics.values():
                topic.push("live", live_message(is_live))

    async def _open(self) -> bool:
        """Join the channel layer for every group with clients; return whether that worked."""
        opening = self._layer.new_channel("hub.")
        channel = await self._answer(opening)
        if channel is None:
            return False
        self._channel = channel
        joined = [await self._done(self._layer.group_add(group, channel)) for group in (self._own_group, *self._topics)]
        if not all(joined):
            return False
        self._opened.set()
        return True

    async def _subscribe(self, group: str) -> bool:
        """Join one more group, and wait until a message to it comes back: then no later message can be missed."""
        await self._opened.wait()
        return await self._done(self._layer.group_add(group, self._channel)) and await self._echoes(group)

    async def _listen(self) -> None:
        """Pass on arriving messages as long as the channel layer answers."""
        tasks = [asyncio.create_task(self._receive(self._channel)), asyncio.create_task(self._poll_now_and_then())]
        try:
            while await self._echoes(self._own_group):
                await asyncio.sleep(self.probe_seconds)
        finally:
            for task in tasks:
                task.cancel()

    async def _poll_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self.poll_seconds)
            self._tell_whether_live(await self._poll())

    async def _poll(self) -> bool:
        """Send changes in the database that no message has reported; False if the database does not answer."""
        return all([await topic.poll() for topic in list(self._topics.values())])

    async def _echoes(self, group: str) -> bool:
        """True if a message to the group comes back to this hub."""
        probe = uuid.uuid4().hex
        heard = self._probes[probe] = asyncio.get_running_loop().create_future()
        try:
            sent = await self._done(self._layer.group_send(group, {"type": "probe", "id": probe}))
            return sent and await self._done(heard)
        finally:
            del self._probes[probe]

    async def _done(self, call: Awaitable[Any]) -> bool:
        """True if the call to the channel layer succeeded in time."""
        return await self._answer(self._true(call)) is not None

    async def _true(self, call: Awaitable[Any]) -> bool:
        await call
        return True

    async def _answer(self, call: Awaitable[Any]) -> Any:
        """The reply of the channel layer, or None if it is unreachable."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await call
        except Exception as error:  # noqa: BLE001  any error of the layer's client when its server is unreachable
            logger.info("The channel layer is unreachable: %s", error or type(error).__name__)
            return None

    # -- messages ----------------------------------------------------------------------------------------------

    async def _receive(self, channel: str) -> None:
        while True:
            message = await self._layer.receive(channel)
            try:
                self._hand_out(message)
            except (KeyError, ValueError, TypeError):
                logger.exception("A message from the channel layer could not be read.")

    def _hand_out(self, message: JsonObject) -> None:
        if message["type"] == "probe":
            heard = self._probes.get(message["id"])
            if heard is not None and not heard.done():
                heard.set_result(None)
        elif topic := self._topics.get(message["group"]):
            topic.push(json.loads(message["text"])["type"], message["text"])
