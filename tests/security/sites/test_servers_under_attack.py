"""Both web servers, attacked over raw connections: bodies, headers, addresses, ranges and WebSockets without end."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.waiting import wait_for

MB = 1_000_000
SMALL = {
    "LIMIT_HEADER_SECONDS": "2",
    "LIMIT_BODY_SECONDS": "2",
    "LIMIT_SOCKETS": "3",
    "LIMIT_SOCKET_MESSAGES": "20",
    "LIMIT_UNKNOWN_PER_MINUTE": "100000",
}


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def site(make_site, request):
    site = make_site(f"attacked-{request.param}", **SMALL)
    site.start("--no-demo", "--no-worker", "--server", request.param)
    yield site
    site.stop()


@contextmanager
def open_to(site):
    where = urlsplit(site.address)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        yield connection


def head(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def answer_to(connection):
    """The status of the answer; 0 if the server hung up without one."""
    said = b""
    with suppress(OSError):
        while len(said) < 12 and (piece := connection.recv(4096)):
            said += piece
    found = re.match(rb"HTTP/1\.[01] (\d+)", said)
    return int(found[1]) if found else 0


def sent_before_the_answer(connection, piece, most):
    """(status, bytes that were sent until the server answered or hung up)."""
    sent = 0
    connection.settimeout(0.05)
    while sent < most:
        try:
            connection.sendall(piece)
            sent += len(piece)
            if connection.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    connection.settimeout(30)
    return answer_to(connection), sent


def token_of(site):
    return f"Authorization: Token {site.token}"


@pytest.mark.parametrize("path", ["/sign-in/", "/api/presets/import/", "/api/training/start", "/nothing/here"])
@pytest.mark.parametrize("headers", [(), ("Authorization: Token forged",), ("Cookie: sessionid=forged",)])
def test_an_unknown_sender_is_refused_before_the_body(site, path, headers):
    with open_to(site) as connection:
        connection.sendall(head("POST", path, "Content-Length: 100000", "Content-Type: text/plain", *headers))
        if headers and "daphne" in site.folder.name:
            connection.sendall(b"x" * 100_000)  # daphne calls the site, which knows who is there, with the whole body
        assert answer_to(connection) == 413


@pytest.mark.parametrize("headers", [(), ("Cookie: sessionid=forged",)])
def test_a_body_without_an_end_or_a_length_is_cut_off(site, headers):
    with open_to(site) as connection:
        connection.sendall(head("POST", "/sign-in/", "Transfer-Encoding: chunked", *headers))
        status, sent = sent_before_the_answer(connection, b"8000\r\n" + b"x" * 0x8000 + b"\r\n", 100 * MB)
    assert status in (413, 0) and sent < 20 * MB
    assert requests.get(f"{site.address}/healthz", timeout=30).ok


def test_a_signed_in_sender_is_limited_by_the_view(site):
    declared = 3 * MB
    with open_to(site) as connection:
        connection.sendall(head("POST", "/api/training/start", f"Content-Length: {declared}", token_of(site)))
        assert answer_to(connection) == 413
    files = {"file": ("big.json", b"[" + b" " * declared + b"]")}
    headers = {"Authorization": f"Token {site.token}"}
    answer = requests.post(f"{site.address}/api/presets/import/", files=files, headers=headers, timeout=60)
    assert answer.status_code == 400, "it was read, and is no preset"
    huge = 500 * MB
    with open_to(site) as connection:
        connection.sendall(head("POST", "/api/presets/import/", f"Content-Length: {huge}", token_of(site)))
        assert answer_to(connection) == 413


def test_a_piece_of_an_upload_may_be_larger_than_other_bodies(site):
    piece = b"\xff\xd8\xff" + bytes(4 * MB)
    headers = {"Authorization": f"Token {site.token}", "Tus-Resumable": "1.0.0"}
    data_set = site.api("POST", "datasets/", {"name": f"Large {site.folder.name}"})["id"]
    facts = {"Upload-Length": str(len(piece)), "Upload-Metadata": f"filename {base64.b64encode(b'a.jpg').decode()}"}
    begun = requests.post(f"{site.address}/api/datasets/{data_set}/uploads", headers=headers | facts, timeout=60)
    sent = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    answer = requests.patch(begun.headers["Location"], data=piece, headers=headers | sent, timeout=60)
    assert (answer.status_code, answer.headers.get("Upload-Offset")) == (204, str(len(piece))), answer.text


def test_the_answer_is_a_sentence_for_scripts_and_a_page_for_people(site):
    body = b"x" * 200_000
    answer = requests.post(f"{site.address}/api/training/start", data=body, timeout=30)
    assert answer.status_code == 413 and "larger than 16 kB" in answer.json()["detail"]
    page = requests.post(f"{site.address}/sign-in/", data=body, timeout=30)
    assert page.status_code == 413 and "<h1>" in page.text


def test_a_body_that_never_arrives_is_given_up(site):
    with open_to(site) as connection:
        connection.sendall(head("POST", "/sign-in/", "Content-Length: 1000") + b"x")
        assert answer_to(connection) in (408, 0)


@pytest.mark.parametrize(
    ("path", "status"), [("/" + "a" * 5_000, 414), ("/?" + "a" * 12_000, 414), ("/api/runs/?q=" + "a" * 12_000, 414)]
)
def test_an_endless_address_is_refused(site, path, status):
    with open_to(site) as connection:
        connection.sendall(head("GET", path))
        assert answer_to(connection) == status


@pytest.mark.parametrize(
    "headers", [[f"X-{number}: 1" for number in range(150)], [f"X-Long: {'a' * 15_990}"], ["X: 1"] * 700]
)
def test_too_many_or_too_large_headers_are_refused(site, headers):
    with open_to(site) as connection:
        connection.sendall(head("GET", "/healthz", *headers))
        assert answer_to(connection) in (431, 400)


def test_headers_without_end_are_cut_off(site):
    with open_to(site) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        status, sent = sent_before_the_answer(connection, b"X-Header: " + b"a" * 1000 + b"\r\n", 100 * MB)
    assert status in (431, 400, 0) and sent < 5 * MB


def test_one_header_without_end_is_cut_off(site):
    with open_to(site) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-Header: ")
        status, sent = sent_before_the_answer(connection, b"a" * 4096, 100 * MB)
    assert status in (431, 400, 0) and sent < 5 * MB


def test_connections_that_say_nothing_are_closed_and_keep_nobody_out(site):
    with ExitStack() as stack:
        silent = [stack.enter_context(open_to(site)) for _ in range(200)]
        slow = stack.enter_context(open_to(site))
        slow.sendall(b"GET / HT")
        assert requests.get(f"{site.address}/healthz", timeout=10).ok
        assert [connection.recv(1) for connection in (*silent, slow)] == [b""] * 201, "each was closed"


@pytest.mark.parametrize("value", ["bytes=abc", "lines=1-2", "bytes=5-2", "bytes=" + "0-," * 3000, "bytes=0-0,0-0"])
def test_a_range_of_nonsense_is_416(site, value):
    for path in ("/static/img/icon.svg", "/api/runs/"):
        with open_to(site) as connection:
            connection.sendall(head("GET", path, f"Range: {value}", token_of(site)))
            assert answer_to(connection) == 416, path


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "9" * 4_000, "1e999"])
def test_json_that_is_too_deep_or_too_large_is_400(site, body):
    headers = {"Authorization": f"Token {site.token}", "Content-Type": "application/json"}
    for path in ("training/start", "configs/validate/", "presets/", "runs/"):
        answer = requests.post(f"{site.address}/api/{path}", data=f'{{"config": {body}}}', headers=headers, timeout=30)
        assert answer.status_code in (400, 404), (path, answer.text)
    answer = requests.post(f"{site.address}/api/training/start", data=body, headers=headers, timeout=30)
    assert answer.status_code == 400 and answer.json()["detail"], answer.text


# -- WebSockets ------------------------------------------------------------------------------------------------------


def socket_to(site, path="/ws", **options):
    headers = {"Authorization": f"Token {site.token}"}
    return connect(site.address.replace("http", "ws") + path, additional_headers=headers, proxy=None, **options)


def code_of(opened):
    try:
        while True:
            opened.recv(30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_a_huge_message_closes_the_socket(site):
    with socket_to(site) as opened:
        opened.send("x" * 100_000)
        assert code_of(opened) in (1009, None), "daphne hangs up without a code"
    assert requests.get(f"{site.address}/healthz", timeout=30).ok


def test_a_flood_of_messages_closes_the_socket(site):
    with socket_to(site) as opened:
        with suppress(ConnectionClosed):
            for _ in range(100):
                opened.send("ping")
        assert code_of(opened) == 4429


def test_one_person_has_a_limited_number_of_sockets(site):
    def one_more():
        opened = stack.enter_context(socket_to(site))
        return json.loads(opened.recv(30))["type"] == "connected"

    with ExitStack() as stack:
        for _ in range(3):
            wait_for(lambda: _quietly(one_more))  # those of the test before may still be closing
        assert code_of(stack.enter_context(socket_to(site))) == 4429
    with ExitStack() as stack:
        wait_for(lambda: _quietly(one_more), what="a place that was freed")


def _quietly(action):
    with suppress(ConnectionClosed):
        return action()
    return False


def test_a_flood_of_strangers_sockets_keeps_nobody_out(site):
    began = time.monotonic()
    with ExitStack() as stack:
        for _ in range(50):
            stranger = stack.enter_context(connect(site.address.replace("http", "ws") + "/ws", proxy=None))
            assert code_of(stranger) == 4401
        assert requests.get(f"{site.address}/healthz", timeout=10).ok
    assert time.monotonic() - began < 60
