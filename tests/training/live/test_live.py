"""A client's outbox."""

from __future__ import annotations

import asyncio
import json

import pytest

from training.live.outbox import MOST_WAITING, Client


class Slow:
    """A socket that takes nothing until it is let go."""

    def __init__(self):
        self.free = asyncio.Event()
        self.sent = []

    async def send(self, text):
        await self.free.wait()
        self.sent.append(json.loads(text))


@pytest.fixture
async def slow():
    reads = []

    async def read_state(kind):
        reads.append(kind)
        return json.dumps({"type": kind, "read": len(reads)})

    socket = Slow()
    socket.client = Client(read_state)
    writing = asyncio.create_task(socket.client.write(socket.send))
    await asyncio.sleep(0)
    yield socket
    writing.cancel()


async def settled(socket, count):
    async with asyncio.timeout(5):
        while len(socket.sent) < count:
            await asyncio.sleep(0)


async def test_a_slow_client_gets_only_the_newest_state(slow):
    for step in range(100):
        slow.client.tell("training_state", json.dumps({"step": step}))
    slow.free.set()
    await settled(slow, 2)
    assert slow.sent == [{"type": "connected", "read": 1}, {"step": 99}]


async def test_a_slow_client_gets_all_news_in_their_order(slow):
    for number in range(50):
        slow.client.tell("sample_default", json.dumps({"number": number}))
    slow.free.set()
    await settled(slow, 51)
    assert [message["number"] for message in slow.sent[1:]] == list(range(50))


async def test_a_slow_client_gets_the_whole_state_instead(slow):
    for number in range(MOST_WAITING + 1):
        slow.client.tell("log", json.dumps({"number": number}))
    slow.client.tell("training_state", json.dumps({"step": 1}))
    slow.free.set()
    await settled(slow, 3)
    assert slow.sent == [{"type": "connected", "read": 1}, {"type": "connected", "read": 2}, {"step": 1}]
