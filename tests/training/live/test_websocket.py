"""WebSockets: who may open one, what it tells, and what it takes from its client."""

from __future__ import annotations

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User

from onetrainer_site.asgi import application
from tests.making import make_run, make_token, make_user
from training.live import outbox as live
from training.live.consumers import LiveConsumer, RunConsumer
from training.live.hub import Hub
from training.live.publisher import envelope, group_of, send_all
from training.models import Run
from training.runs.service import TrainerService

pytestmark = pytest.mark.django_db(transaction=True)
Status = Run.Status


class Socket(WebsocketCommunicator):
    """A client of `/ws`."""

    def __init__(self, path="/ws", key="", host="localhost", **headers):
        given = {"host": host, **headers} | ({"authorization": f"Token {key}"} if key else {})
        super().__init__(application, path, [(name.encode(), value.encode()) for name, value in given.items()])

    async def opened(self):
        accepted, code = await self.connect(timeout=60)
        assert accepted, code
        return self

    async def next(self, kind="", timeout=60):
        """The next message, or the next of this type."""
        while True:
            message = json.loads(await self.receive_from(timeout))
            if kind in ("", message["type"]):
                return message

    async def close_code(self):
        return (await self.receive_output(60))["code"]


@pytest.fixture
async def key():
    return await database_sync_to_async(lambda: make_token(make_user()))()


@pytest.fixture
async def run():
    return await database_sync_to_async(make_run)(status=Status.RUNNING, global_step=7)


async def publish(*messages):
    assert await send_all(list(messages))


async def test_a_client_gets_the_current_state_first(key, run):
    socket = await Socket(key=key).opened()
    message = await socket.next()
    assert message["type"] == "connected"
    assert message["data"]["is_training"] is True
    assert message["data"]["progress"]["global_step"] == 7
    await socket.disconnect()


async def test_ping_is_answered_with_pong(key):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    await socket.send_to("ping")
    assert await socket.next() == {"type": "pong"}
    await socket.disconnect()


@pytest.mark.parametrize("words", [{"text_data": "hello"}, {"text_data": "{}"}, {"bytes_data": b"ping"}])
async def test_an_unknown_message_is_answered_and_the_socket_stays_open(key, words):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    await socket.send_to(**words)
    message = await socket.next()
    assert message["type"] == "error" and message["data"]["detail"]
    await socket.send_to("ping")
    assert (await socket.next())["type"] == "pong"
    await socket.disconnect()


async def test_a_session_signs_in(client):
    user = await database_sync_to_async(make_user)()
    await database_sync_to_async(client.force_login)(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    socket = await Socket(cookie=cookie).opened()
    assert (await socket.next())["type"] == "connected"
    await socket.disconnect()


@pytest.mark.parametrize("path", ["/ws", "/ws?token=wrong", "/ws?token=%00", "/ws/"])
async def test_a_socket_without_sign_in_gets_the_reason(path):
    socket = await Socket(path).opened()
    assert await socket.close_code() == 4401


async def test_a_wrong_key_is_not_made_good_by_a_session(client):
    user = await database_sync_to_async(make_user)()
    await database_sync_to_async(client.force_login)(user)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    socket = await Socket(key="wrong", cookie=cookie).opened()
    assert await socket.close_code() == 4401


async def test_an_inactive_user_is_refused(key):
    await User.objects.aupdate(is_active=False)
    socket = await Socket(key=key).opened()
    assert await socket.close_code() == 4401


@pytest.mark.parametrize(
    "path", ["/ws/runs/f147146b-0819-4dcc-af2c-04b19b2aa588", "/ws/runs/all", "/ws/no", "/elsewhere"]
)
async def test_an_unknown_run_or_address_is_reported(key, path):
    socket = await Socket(path, key).opened()
    assert await socket.close_code() == 4404


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://localhost", "https://friend.example"]
)
async def test_pages_of_this_machine_and_of_listed_sites_may_connect(key, origin, settings):
    settings.CORS_ALLOWED_ORIGINS, settings.CORS_LOCALHOST = ["https://friend.example"], True
    socket = await Socket(key=key, origin=origin).opened()
    assert (await socket.next())["type"] == "connected"
    await socket.disconnect()


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:3000", "http://localhost.evil.example", "null", "", "file://"],
)
async def test_pages_of_other_sites_are_refused(key, origin):
    accepted, _ = await Socket(key=key, origin=origin).connect()
    assert not accepted


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", ""])
async def test_a_foreign_host_name_is_refused(key, host):
    accepted, _ = await Socket(key=key, host=host).connect()
    assert not accepted


async def test_a_published_message_reaches_every_client(key, run):
    sockets = [await Socket(key=key).opened() for _ in range(5)]
    for socket in sockets:
        await socket.next("connected")
    await publish(("runs", envelope("sample_default", {"sample_count": 1})))
    for socket in sockets:
        assert (await socket.next())["data"] == {"sample_count": 1}
        await socket.disconnect()


async def test_a_command_is_sent_to_clients_that_follow_the_run(key, run):
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await database_sync_to_async(lambda: TrainerService().backup(run))()
    data = (await socket.next("command"))["data"]
    assert (data["kind"], data["status"]) == ("backup", "requested")
    await socket.disconnect()


async def test_a_run_s_socket_gets_no_messages_of_other_runs(key, run):
    other = await database_sync_to_async(make_run)("Other")
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    await socket.next("connected")
    await publish(
        (group_of(other.pk), envelope("log", {"text": "theirs"})), (group_of(run.pk), envelope("log", {"text": "ours"}))
    )
    assert (await socket.next())["data"]["text"] == "ours"
    await socket.disconnect()


async def test_nothing_is_lost_between_joining_and_reading_the_state(key, run, monkeypatch):
    """What changes while the state is being read is told after it."""
    read = LiveConsumer.read_state

    async def slow_read(self, kind):
        text = await read(self, kind)
        await publish(("runs", envelope("sample_default", {"sample_count": 1})))
        return text

    monkeypatch.setattr(LiveConsumer, "read_state", slow_read)
    socket = await Socket(key=key).opened()
    assert (await socket.next())["type"] == "connected"
    assert (await socket.next())["type"] == "sample_default"
    await socket.disconnect()


async def test_states_are_held_to_twenty_a_second_and_the_newest_comes_last(key, run):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    begin = asyncio.get_running_loop().time()
    for step in range(200):
        await publish(("runs", envelope("training_state", {"step": step})))
        await asyncio.sleep(0.002)
    steps = [(await socket.next("training_state"))["data"]["step"]]
    while steps[-1] != 199:
        steps.append((await socket.next("training_state"))["data"]["step"])
    seconds = asyncio.get_running_loop().time() - begin
    assert len(steps) <= live.STATES_PER_SECOND * seconds + 2
    assert steps == sorted(steps)
    await socket.disconnect()


async def test_the_last_one_to_leave_ends_the_subscription(key):
    socket = await Socket(key=key).opened()
    await socket.next("connected")
    hub = Hub.of_this_process()
    assert hub._work is not None
    await socket.disconnect()
    assert hub._work is None and not hub._topics


async def test_many_sockets_make_one_subscription(key):
    sockets = [await Socket(key=key).opened() for _ in range(10)]
    for socket in sockets:
        await socket.next("connected")
    assert len(get_channel_layer().groups["runs"]) == 1
    for socket in sockets:
        await socket.disconnect()


async def test_a_run_that_is_deleted_while_its_socket_opens_is_reported(key, run, monkeypatch):
    async def exists(self):
        await run.adelete()
        return True

    monkeypatch.setattr(RunConsumer, "exists", exists)
    socket = await Socket(f"/ws/runs/{run.pk}", key).opened()
    assert await socket.close_code() == 4404


async def test_a_state_that_cannot_be_read_closes_the_socket_for_another_try(key, monkeypatch, caplog):
    async def read_state(self, kind):
        raise OSError("the database is away")

    monkeypatch.setattr(LiveConsumer, "read_state", read_state)
    socket = await Socket(key=key).opened()
    assert await socket.close_code() == 1011
    assert "the database is away" in caplog.text


async def test_a_page_of_another_port_gets_no_cookies_so_it_needs_a_token(settings, client, run):
    """Browsers send the site's cookies to every port of its host."""
    settings.CORS_LOCALHOST = True
    await database_sync_to_async(lambda: client.force_login(make_user("eve")))()
    cookie = "; ".join(f"{name}={value.value}" for name, value in client.cookies.items())
    own = await Socket(cookie=cookie, origin="http://localhost").opened()
    assert (await own.next())["type"] == "connected"
    await own.disconnect()
    foreign = await Socket(cookie=cookie, origin="http://localhost:3000").opened()
    assert await foreign.close_code() == 4401
