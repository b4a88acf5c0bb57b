"""WebSockets end with their sign-in, and tickets open one socket each."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from system.account.credentials import credential_of, ended
from system.models import ApiToken, SocketTicket
from tests.making import make_token, make_user
from tests.training.live.test_websocket import Socket
from training.live.leave_with_sign_in import CHECK_SECONDS, SignedIn

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


@pytest.fixture
async def user():
    return await sync_to_async(make_user)(password=PASSWORD)


@pytest.fixture
async def key(user):
    return await sync_to_async(make_token)(user)


@pytest.fixture
async def cookie(client, user):
    await sync_to_async(client.force_login)(user)
    return f"sessionid={client.cookies['sessionid'].value}"


async def opened(path="/ws", **headers):
    socket = await Socket(path, **headers).opened()
    assert (await socket.next())["type"] == "connected"
    return socket


async def leaves(socket):
    """The socket is closed as signed out by the next check."""
    await SignedIn.of_this_process().check()
    return await closed(socket) == 4401


async def closed(socket):
    """The code with which the socket is closed."""
    while (message := await socket.receive_output(60))["type"] != "websocket.close":
        pass
    await socket.disconnect()
    return message["code"]


async def stays(socket):
    await SignedIn.of_this_process().check()
    await socket.send_to("ping")
    assert (await socket.next("pong"))["type"] == "pong"


def test_the_check_is_soon_enough():
    assert CHECK_SECONDS <= 7


async def test_a_socket_ends_when_the_session_signs_out(client, cookie):
    socket = await opened(cookie=cookie)
    await stays(socket)
    await sync_to_async(client.post)(reverse("sign-out"))
    assert await leaves(socket)


async def test_a_socket_ends_when_its_session_expires_or_is_ended_elsewhere(cookie):
    socket = await opened(cookie=cookie)
    await Session.objects.aupdate(expire_date=now() - timedelta(seconds=1))
    assert await leaves(socket)


async def test_a_socket_of_a_session_ends_with_a_new_password_and_that_of_a_token_goes_on(user, cookie, key):
    of_session, of_token = await opened(cookie=cookie), await opened(key=key)
    user.set_password("another horse battery")
    await user.asave()
    assert await leaves(of_session)
    await stays(of_token)
    await of_token.disconnect()


async def test_a_socket_ends_with_its_token(key):
    socket = await opened(key=key)
    await stays(socket)
    await ApiToken.objects.all().adelete()
    assert await leaves(socket)


async def test_a_socket_ends_when_its_token_expires(key):
    socket = await opened(key=key)
    await ApiToken.objects.aupdate(expires_at=now() - timedelta(seconds=1))
    assert await leaves(socket)


async def test_all_sockets_end_when_a_person_is_blocked(key, cookie):
    sockets = [await opened(key=key), await opened(cookie=cookie), await opened(key=key)]
    await User.objects.aupdate(is_active=False)
    assert [await leaves(socket) for socket in sockets] == [True] * 3


async def test_the_check_runs_by_itself_and_ends_with_the_last_socket(key):
    signed_in = SignedIn.of_this_process()
    signed_in.check_seconds = 0.05
    socket = await opened(key=key)
    await ApiToken.objects.all().adelete()
    assert await closed(socket) == 4401
    await socket.disconnect()
    assert not signed_in._sockets


def test_a_hundred_sockets_cost_three_queries(user):
    credentials = [credential_of(user, None, f"session{number}") for number in range(100)]
    key = make_token(user)
    credentials.append(credential_of(user, ApiToken.objects.get(), ""))
    with CaptureQueriesContext(connection) as queries:
        assert len(ended(credentials)) == 100
    assert len(queries) == 3 and key


async def test_a_ticket_opens_one_socket_and_no_second(client, cookie):
    made = await sync_to_async(client.post)("/api/ws-ticket")
    assert made.status_code == 201 and made.json()["expires_in"] == 60
    path = f"/ws?ticket={made.json()['ticket']}"
    socket = await opened(path)
    assert await (await Socket(path).opened()).close_code() == 4401
    await sync_to_async(client.post)(reverse("sign-out"))
    assert await leaves(socket), "it ends with the session that made the ticket"


async def test_an_expired_ticket_opens_no_socket(client, cookie):
    ticket = (await sync_to_async(client.post)("/api/ws-ticket")).json()["ticket"]
    await SocketTicket.objects.aupdate(valid_until=now() - timedelta(seconds=1))
    assert await (await Socket(f"/ws?token={ticket}").opened()).close_code() == 4401


async def test_a_personal_token_in_the_address_opens_no_socket_and_a_ticket_signs_in_nowhere_else(client, key, cookie):
    assert await (await Socket(f"/ws?token={key}").opened()).close_code() == 4401
    ticket = (await sync_to_async(client.post)("/api/ws-ticket")).json()["ticket"]
    await sync_to_async(client.logout)()
    answer = await sync_to_async(client.get)("/api/me", headers={"authorization": f"Token {ticket}"})
    assert answer.status_code == 401
    assert (await sync_to_async(client.get)(f"/api/me?token={key}")).status_code == 401
