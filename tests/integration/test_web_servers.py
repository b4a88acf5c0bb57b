"""Both web servers that `serve` can start, over real connections: uvicorn, the default, and daphne."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.waiting import wait_for

BIG = 300 * 1024**2
MOST_GROWTH = 80 * 1024**2  # of a server's memory while it sends BIG
SAMPLES = """
from samples.models import Sample
from training.models import Run
run = Run.objects.create(name="Films", status="finished", attempt=1, config={{}})
folder = run.folder
folder.mkdir(parents=True)
(folder / "small.mp4").write_bytes(bytes(range(100)))
with (folder / "big.mp4").open("wb") as file:
    file.truncate({size})
for number, name in enumerate(("small", "big")):
    print(Sample.objects.create(run=run, attempt=1, sequence=number, path=str(folder / (name + ".mp4"))).pk)
"""


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(request):
    return request.param


@pytest.fixture(scope="module")
def site(make_site, server):
    site = make_site(server).start("--no-demo", "--no-worker", "--server", server)
    yield site
    site.stop()


@pytest.fixture(scope="module")
def samples(site):
    """The addresses of a small film and of a big one."""
    printed = site.manage("shell", "--no-imports", "-c", SAMPLES.format(size=BIG))
    return [f"/api/samples/{line}/file" for line in printed.splitlines()]


@pytest.fixture
def headers(site):
    return {"Authorization": f"Token {site.token}"}


def test_one_connection_serves_many_requests(site, headers):
    where = urlsplit(site.address)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/api/training/status", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200 and json.loads(answer.read())["is_training"] is False
        assert connection.sock is socket, "it is kept open"
    connection.close()


def test_a_websocket_gets_the_current_state(site, headers):
    address = site.address.replace("http", "ws")
    with connect(f"{address}/ws", additional_headers=headers, proxy=None) as socket:
        message = json.loads(socket.recv(60))
    assert message["type"] == "connected" and message["data"]["is_training"] is False


def test_only_the_requested_range_of_a_sample_is_sent(site, headers, samples):
    answer = requests.get(site.address + samples[0], headers=headers | {"Range": "bytes=10-19"}, timeout=60)
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["Content-Range"] == "bytes 10-19/100"


def test_a_header_cannot_change_the_address_of_a_client(site):
    """Otherwise a client could choose the host in links of the site."""
    answer = requests.get(
        f"{site.address}/", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}, timeout=60
    )
    assert answer.url.startswith(site.address) and answer.ok


def test_a_large_download_is_complete_and_uvicorn_streams_it(site, server, headers, samples):
    process = site.process_of(f"web.servers.with_{server}")
    before = peak_memory(process)
    with requests.get(site.address + samples[1], headers=headers, stream=True, timeout=60) as answer:
        received = sum(len(part) for part in answer.iter_content(1024**2))
    assert received == BIG
    grown = peak_memory(process) - before
    assert grown < MOST_GROWTH or server == "daphne", f"{grown / 1024**2:.0f} MiB"


def peak_memory(process: psutil.Process) -> int:
    """The peak memory of the process in bytes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_no_secret_of_an_address_is_in_a_log(site, server, headers):
    """Neither of a ticket, nor of a token that somebody put into an address, nor of a sign-in link."""
    ticket = requests.post(f"{site.address}/api/ws-ticket", headers=headers, timeout=60).json()["ticket"]
    address = site.address.replace("http", "ws")
    with connect(f"{address}/ws?ticket={ticket}", proxy=None) as socket:
        assert json.loads(socket.recv(60))["type"] == "connected"
    with connect(f"{address}/ws?token={site.token}", proxy=None) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(60)
        assert closed.value.rcvd.code == 4401
    requests.get(f"{site.address}/api/me?token={site.token}", timeout=60)
    requests.get(f"{site.address}/nothing?next=/&token={site.token}", timeout=60)
    requests.get(site.link, timeout=60)
    requests.get(f"{site.address}/last-one", timeout=60)

    def logs():
        return "".join(path.read_text() for path in (site.folder / "logs").iterdir())

    wait_for(lambda: "/last-one" in logs(), what="the log of the last request")
    assert [secret for secret in (ticket, site.token, site.link.split("/")[-2]) if secret in logs()] == []


def test_twenty_sign_ins_at_once_do_not_hold_up_the_site(site):
    """Hashing takes turns: /healthz is answered while most of them still wait."""
    answered, healthy = [], []
    begin = threading.Barrier(21)

    def sign_in():
        browser = requests.Session()
        browser.get(f"{site.address}/account/login/", timeout=60)
        form = {"login": "admin", "password": "wrong", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        begin.wait(60)
        answered.append(browser.post(f"{site.address}/account/login/", form, timeout=120).status_code)

    threads = [threading.Thread(target=sign_in) for _ in range(20)]
    for thread in threads:
        thread.start()
    begin.wait(60)
    for _ in range(3):
        assert requests.get(f"{site.address}/healthz", timeout=60).status_code in (200, 503)
        healthy.append(len(answered))
    for thread in threads:
        thread.join(120)
    assert healthy[-1] < 20, "it was answered before the last sign-in"
    assert len(answered) == 20 and set(answered) <= {200, 429, 503}
