"""The hub on a real Redis: what is published in another process arrives, and Redis may go away and come back."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from unittest.mock import Mock

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from tests.making import make_run, make_token, make_user
from tests.servers import RedisServer
from tests.training.live.test_websocket import Socket, publish
from training.live import consumers, publisher
from training.live.hub import Hub
from training.live.publisher import envelope
from training.models import Run, RunProgress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def hub():
    hub = Hub.of_this_process()
    hub.probe_seconds = 0.1
    return hub


@pytest.fixture
def server(tmp_path, settings, hub):
    server = RedisServer(tmp_path).start()
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"unix://{server.socket}"], "prefix": "test"},
        }
    }
    yield server
    server.kill()


@pytest.fixture
async def key():
    return await database_sync_to_async(lambda: make_token(make_user()))()


@pytest.fixture
async def run():
    return await database_sync_to_async(make_run)(status=Run.Status.RUNNING, global_step=7)


SEND_FROM_ELSEWHERE = """
import asyncio, sys
from channels_redis.pubsub import RedisPubSubChannelLayer
layer = RedisPubSubChannelLayer(hosts=[sys.argv[1]], prefix="test")
message = {"type": "push", "group": "runs", "text": '{"type":"sample_default","data":{"sample_count":1}}'}
asyncio.run(layer.group_send("runs", message))
"""


async def test_messages_of_another_process_arrive(server, key):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    command = [sys.executable, "-c", SEND_FROM_ELSEWHERE, f"unix://{server.socket}"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    assert (await socket.next("sample_default"))["data"] == {"sample_count": 1}
    await socket.disconnect()


async def test_a_client_that_connects_while_redis_is_away_is_served(server, key, run):
    server.kill()
    socket = await Socket(key=key).opened()
    assert (await socket.next("connected"))["data"]["progress"]["global_step"] == 7
    await RunProgress.objects.filter(pk=run.pk).aupdate(global_step=8)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 8:
        pass
    await socket.disconnect()


async def test_redis_may_go_away_and_come_back(server, key, run):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    server.kill()
    await RunProgress.objects.filter(pk=run.pk).aupdate(global_step=8)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 8:
        pass
    await asyncio.to_thread(server.start)
    assert (await socket.next("connected", timeout=60))["data"]["progress"]["global_step"] == 8
    await publish(("runs", envelope("sample_default", {"sample_count": 1})))
    assert (await socket.next("sample_default"))["data"] == {"sample_count": 1}
    await socket.disconnect()


async def test_messages_that_redis_lost_are_made_up_for_after_its_restart(server, key, run):
    """Also where Redis is back before anybody noticed: its subscriptions are gone, and so may messages be."""
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await asyncio.to_thread(lambda: (server.kill(), server.start()))
    await RunProgress.objects.filter(pk=run.pk).aupdate(global_step=9)
    while (await socket.next(timeout=60))["data"].get("progress", {}).get("global_step") != 9:
        pass
    await socket.disconnect()


async def test_a_message_that_was_lost_without_a_trace_is_made_up_for(server, hub, key, run):
    hub.poll_seconds = 0.05
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await RunProgress.objects.filter(pk=run.pk).aupdate(global_step=9)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 9:
        pass
    await socket.disconnect()


async def test_clients_learn_when_to_poll_and_when_to_stop(server, key, run):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    server.kill()
    assert (await socket.next("live"))["data"] == {"is_live": False}
    late = await Socket(f"/ws/runs/{run.pk}", key).opened()
    assert (await late.next("live"))["data"] == {"is_live": False}
    await asyncio.to_thread(server.start)
    assert (await socket.next("live", timeout=60))["data"] == {"is_live": True}
    for one in (socket, late):
        await one.disconnect()


async def test_clients_have_to_ask_while_the_database_is_away(server, hub, key, run, monkeypatch):
    hub.poll_seconds = 0.05
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    with monkeypatch.context() as away:
        away.setattr(consumers, "state_of", Mock(side_effect=OperationalError("the server closed the connection")))
        assert (await socket.next("live"))["data"] == {"is_live": False}
    assert (await socket.next("live"))["data"] == {"is_live": True}
    await socket.disconnect()


async def test_a_frozen_redis_does_not_block_a_click(server):
    """Nothing answers, and nothing is refused either."""
    assert await publisher.send_all([("runs", "{}")])
    server.process.send_signal(signal.SIGSTOP)
    assert not await publisher.send_all([("runs", "{}")], patience=0.2)
    server.process.send_signal(signal.SIGCONT)
    assert await publisher.send_all([("runs", "{}")])
