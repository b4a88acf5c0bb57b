"""Headers that proxies add, sent by clients that are none."""

import pytest
from django.http import HttpRequest

from web.environment import Environment
from web.proxies import believe_proxies, client_address, scope_behind_proxies

PROXY, CLIENT, STRANGER = "10.0.0.9", "203.0.113.7", "198.51.100.66"


@pytest.fixture(autouse=True)
def trusted(settings, monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/24, 127.0.0.1, fd00::/8")
    settings.TRUSTED_PROXIES = Environment().networks("TRUSTED_PROXIES")
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["*"]


def settled(peer, **headers):
    """The request as the site's views see it."""
    request = HttpRequest()
    request.META = {
        "REMOTE_ADDR": peer,
        "HTTP_HOST": "site",
        **{f"HTTP_{name}": text for name, text in headers.items()},
    }
    return believe_proxies(lambda request: request)(request)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{CLIENT}:51234", CLIENT),
        (PROXY, f"1.1.1.1, {CLIENT}", CLIENT),  # the client wrote 1.1.1.1
        (PROXY, f"{CLIENT}, 127.0.0.1, 10.0.0.8", CLIENT),  # three proxies in a row
        (PROXY, f"127.0.0.1, {CLIENT}", CLIENT),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, "[2001:db8::1]:443", "2001:db8::1"),
        (PROXY, "2001:DB8:0:0::1", "2001:db8::1"),
        (PROXY, f"::ffff:{CLIENT}", CLIENT),
        ("::ffff:10.0.0.9", CLIENT, CLIENT),
        ("fd00::5", CLIENT, CLIENT),
        (PROXY, "", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, f"{CLIENT}, garbage", PROXY),
        (PROXY, "999.1.1.1", PROXY),
        (PROXY, "127.0.0.1, 10.0.0.8", "127.0.0.1"),  # all are proxies: the furthest is known
        (PROXY, ",".join([CLIENT] + ["10.0.0.8"] * 500), "10.0.0.8"),  # no longer list is read
        (STRANGER, CLIENT, STRANGER),
        (STRANGER, "127.0.0.1", STRANGER),
        (STRANGER, f"{CLIENT}, 10.0.0.9", STRANGER),
        ("", CLIENT, ""),
    ],
)
def test_the_client_is_the_last_address_that_a_trusted_proxy_saw(peer, forwarded, address):
    request = settled(peer, X_FORWARDED_FOR=forwarded)
    assert request.META["REMOTE_ADDR"] == client_address(request) == address
    assert "HTTP_X_FORWARDED_FOR" not in request.META


@pytest.mark.parametrize(
    ("peer", "proto", "is_secure"),
    [
        (PROXY, "https", True),
        (PROXY, "HTTPS", True),
        (PROXY, "https, http", False),
        (PROXY, "http", False),
        (PROXY, "gopher", False),
        (STRANGER, "https", False),
        ("", "https", False),
    ],
)
def test_only_a_trusted_proxy_says_that_the_connection_is_secure(peer, proto, is_secure):
    assert settled(peer, X_FORWARDED_PROTO=proto).is_secure() is is_secure


@pytest.mark.parametrize(("peer", "host"), [(PROXY, "box.example.org"), (STRANGER, "site"), ("", "site")])
def test_only_a_trusted_proxy_names_another_host(peer, host):
    assert settled(peer, X_FORWARDED_HOST="evil.example, box.example.org").get_host() == host


def test_headers_that_nothing_reads_are_removed():
    request = settled(PROXY, FORWARDED="for=1.1.1.1", X_REAL_IP="1.1.1.1", X_FORWARDED_PORT="1")
    assert set(request.META) == {"REMOTE_ADDR", "REMOTE_HOST", "HTTP_HOST"}


async def scope_of(peer, *headers):
    seen = []

    async def application(scope, receive, send):
        seen.append(scope)

    scope = {"type": "websocket", "scheme": "ws", "client": (peer, 5), "headers": [(b"host", b"site"), *headers]}
    await scope_behind_proxies(application)(scope, None, None)
    return seen[0]


async def test_a_websocket_gets_the_same_from_a_proxy_and_nothing_from_others():
    told = ((b"x-forwarded-for", CLIENT.encode()), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"box"))
    scope = await scope_of(PROXY, *told)
    assert (scope["client"][0], scope["scheme"], scope["headers"]) == (CLIENT, "wss", [(b"host", b"box")])
    assert client_address(scope) == CLIENT
    scope = await scope_of(STRANGER, *told)
    assert (scope["client"][0], scope["scheme"], scope["headers"]) == (STRANGER, "ws", [(b"host", b"site")])


async def test_a_header_with_an_underscore_is_not_taken_for_one_with_a_hyphen():
    assert (await scope_of(PROXY, (b"x_forwarded_for", CLIENT.encode())))["client"][0] == PROXY
