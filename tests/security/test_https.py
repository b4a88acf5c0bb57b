"""A site over HTTPS: behind a real nginx with the shipped settings, and with a certificate of its own."""

from __future__ import annotations

import json
import re
import ssl

import pytest
import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from operations.serve.certificate import made_here
from operations.serve.site import SERVERS
from tests.integration.site import Site
from tests.needs import needs_nginx
from tests.security.https_site import Caller, Nginx

NAME = "box.example.org"
OWN = f"https://{NAME}"


def production_settings() -> dict[str, str]:
    lines = (settings.BASE_DIR / "deploy" / "production.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request, tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("https") / "data", **production_settings())
    try:
        yield site.start("--server", request.param, "--no-worker", "--no-demo")
    finally:
        site.stop()
        site.clean_up()


@pytest.fixture(scope="module")
def nginx(site):
    own = made_here(site.folder, [NAME])
    with Nginx(site.folder.parent / "nginx", int(site.address.rpartition(":")[2]), own.certificate, own.key) as nginx:
        yield nginx


@pytest.fixture
def caller(nginx):
    return Caller(nginx.port, NAME)


@pytest.fixture
def token(site):
    return {"Authorization": f"Token {site.token}"}


pytestmark = needs_nginx


def test_a_page_over_http_is_redirected_by_nginx_and_by_the_site_itself(site, nginx):
    assert Caller(nginx.plain, NAME, "http").get("/runs/?q=1").headers["Location"] == f"{OWN}/runs/?q=1"
    direct = Caller(int(site.address.rpartition(":")[2]), NAME, "http")
    assert direct.get("/runs/?q=1").headers["Location"] == f"{OWN}/runs/?q=1"
    assert direct.get("/healthz").status_code == 200


def test_pages_come_with_secure_cookies_and_headers(site, caller):
    link = site.link.partition("/sign-in/")[2]
    page = caller.get("/sign-in/")
    assert page.status_code == 200 and page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert (
        "script-src" in page.headers["Content-Security-Policy"]
        or "default-src 'self'" in page.headers["Content-Security-Policy"]
    )
    cookies = [page.headers["Set-Cookie"]]
    answer = caller.get(f"/sign-in/{link}")
    if answer.status_code == 200:  # the link is used up by a click
        form = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text))
        headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0], "Origin": OWN, "Referer": f"{OWN}/"}
        answer = caller.send("POST", f"/sign-in/{link}", headers, form)
    cookies.append(answer.headers["Set-Cookie"])
    assert "__Host-sessionid=" in cookies[1] and "HttpOnly" in cookies[1]
    for cookie in cookies:
        assert "Secure" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def call_from(address: str, port: int, path: str, headers: dict[str, str]) -> requests.Response:
    """From another address of this machine."""
    session = requests.Session()
    adapter = HTTPAdapter()
    adapter.init_poolmanager(1, 1, source_address=(address, 0))
    session.mount("https://", adapter)
    body = {"backups": {"keep": 3, "every": None}}
    return session.put(
        f"https://127.0.0.1:{port}{path}", json=body, headers={"Host": NAME, **headers}, verify=False, timeout=60
    )


def test_the_client_is_the_address_that_nginx_saw_whatever_the_client_writes(nginx, caller, token):
    forged = {"X-Forwarded-For": "198.51.100.1", "X-Real-IP": "198.51.100.2", "Forwarded": "for=198.51.100.3"}
    assert call_from("127.0.0.2", nginx.port, "/api/retention", token | forged).ok
    (entry, *_) = caller.get("/api/audit?action=policy.", **token).json()["results"]
    assert (entry["address"], entry["actor_name"]) == ("127.0.0.2", "admin")


def test_forged_headers_of_scheme_and_host_change_nothing(caller, token):
    answer = caller.get("/api/runs/?page_size=1", **token, **{"X-Forwarded-Proto": "http"})
    assert answer.status_code == 200
    answer = caller.get("/", **{"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in answer.headers["Location"]


def test_a_websocket_takes_the_sites_own_origin_and_no_other(caller, token):
    assert json.loads(caller.socket(OWN, **token))["type"] == "connected"
    for origin in ("https://evil.example", f"http://{NAME}", f"{OWN}:8443", "http://localhost:3000", "null"):
        with pytest.raises(InvalidStatus):
            caller.socket(origin, **token)


def test_a_foreign_host_and_a_foreign_form_see_which_setting_to_change(nginx, caller):
    page = Caller(nginx.port, "evil.example").get("/")
    assert page.status_code == 400 and "evil.example" in page.text and "ALLOWED_HOSTS" in page.text
    form = caller.send("POST", "/sign-in/", {"Origin": "https://evil.example"}, {"username": "x"})
    assert form.status_code == 403 and "https://evil.example" in form.text and "SITE_URL" in form.text
    api = Caller(nginx.port, "evil.example").get("/api/me")
    assert "ALLOWED_HOSTS" in api.json()["detail"]


@pytest.mark.parametrize("server", list(SERVERS))
def test_a_site_with_a_certificate_made_here_serves_https_and_wss(server, tmp_path):
    site = Site(tmp_path / "data")
    try:
        site.start("--self-signed", "--server", server, "--no-worker", "--no-demo")
        address = re.search(r"https://127\.0\.0\.1:(\d+)/", site.output)[0]
        certificate = site.folder / "certificate" / "site.crt"
        assert (site.folder / "certificate" / "site.key").stat().st_mode & 0o777 == 0o600
        page = requests.get(f"{address}sign-in/", verify=str(certificate), timeout=60)
        assert page.ok and "Secure" in page.headers["Set-Cookie"]
        assert "Strict-Transport-Security" not in page.headers, "a browser could not open the site any more"
        trusting = ssl.create_default_context(cafile=str(certificate))
        socket = connect(
            address.replace("https", "wss") + "ws",
            ssl=trusting,
            origin=address.rstrip("/"),
            additional_headers={"Authorization": f"Token {site.token}"},
            proxy=None,
        )
        with socket as live:
            assert json.loads(live.recv(60))["type"] == "connected"
        with pytest.raises(InvalidStatus):
            connect(address.replace("https", "wss") + "ws", ssl=trusting, origin=address.replace("https", "http")[:-1])
    finally:
        site.stop()
        site.clean_up()
