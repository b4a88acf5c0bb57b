"""Pages of other sites that send forms, open WebSockets or read the API, and scripts smuggled into pages."""

import re

import pytest
from django.test import Client

from web.site_address import LOCAL, standing_of

pytestmark = pytest.mark.django_db
HOST = "site.example:8000"


@pytest.fixture(autouse=True)
def this_site(settings):
    settings.ALLOWED_HOSTS = ["site.example", "localhost", "127.0.0.1", "testserver"]
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://public.example"]


@pytest.mark.parametrize(
    ("origin", "standing"),
    [
        (None, "own"),  # a script
        ("http://site.example:8000", "own"),
        ("https://public.example", "own"),
        ("https://friend.example", "guest"),
        ("http://site.example", "refused"),
        ("http://site.example:3000", "refused"),
        ("http://localhost:8000", "refused"),
        ("http://localhost:3000", "refused"),
        ("https://evil.example", "refused"),
        ("http://site.example:8000.evil.example", "refused"),
        ("http://site.example:8000@evil.example", "refused"),
        ("http://evil.example#site.example:8000", "refused"),
        ("http://site.example:8000/", "refused"),
        ("null", "refused"),
        ("", "refused"),
        ("file://", "refused"),
        ("http://[::1", "refused"),
        ("http://site.example:port", "refused"),
    ],
)
def test_a_page_of_another_origin_opens_no_websocket(origin, standing):
    assert standing_of(origin, HOST) == standing


def test_an_unencrypted_page_is_none_of_an_https_sites_own(settings):
    settings.HTTPS = True
    assert standing_of("http://site.example", "site.example") == "refused"
    assert standing_of("https://site.example", "site.example") == "own"


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1"])
def test_pages_of_this_machine_are_guests_only_where_that_is_switched_on(settings, origin):
    assert standing_of(origin, HOST) == "refused"
    settings.CORS_LOCALHOST = True
    assert standing_of(origin, HOST) == "guest"
    assert standing_of("http://localhost.evil.example", HOST) == "refused"


def test_the_api_allows_them_only_then_and_never_with_cookies(settings):
    asked = {"origin": "http://localhost:3000"}
    assert "Access-Control-Allow-Origin" not in Client(headers=asked).get("/api/me").headers
    settings.CORS_ALLOWED_ORIGIN_REGEXES = [LOCAL]
    answer = Client(headers=asked).get("/api/me")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/sign-in/", "/runs/bulk/", "/admin/login/", "/account/"])
@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {}])
def test_a_foreign_form_is_refused_by_a_page_of_ours_that_names_the_setting(path, headers):
    answer = Client(enforce_csrf_checks=True, headers=headers).post(path, {"username": "x"})
    assert answer.status_code == 403
    assert re.search("SITE_URL|CSRF_TRUSTED_ORIGINS", answer.text) and "Reason given for failure" not in answer.text


def test_what_a_refused_sender_wrote_is_shown_as_text():
    answer = Client(enforce_csrf_checks=True, headers={"origin": "https://<script>alert(1)</script>"}).post("/sign-in/")
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "site.example.evil.example", "site.example@evil.example", "a b", "\x00", "["]
)
def test_a_foreign_host_is_refused_by_a_page_of_ours_that_names_the_setting(host):
    page = Client(headers={"host": host}).get("/")
    assert page.status_code == 400 and "SITE_URL" in page.text and "ALLOWED_HOSTS" in page.text
    api = Client(headers={"host": host}).get("/api/me")
    assert api.status_code == 400 and "ALLOWED_HOSTS" in api.json()["detail"]


def test_a_foreign_host_is_no_html():
    assert "<b>" not in Client(headers={"host": "<b>x</b>"}).get("/").text


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in/", "/nothing", "/admin/", "/admin/login/", "/api/docs/", "/api/me", "/api/schema", "/healthz"],
)
def test_every_answer_has_a_policy_without_inline_scripts(clients, path):
    for client in (clients["nobody"], clients["admin"]):
        policy = client.get(path).headers["Content-Security-Policy"]
        scripts = re.search(r"script-src [^;]*|default-src [^;]*", policy)[0]
        assert "unsafe" not in scripts and "*" not in scripts
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy


def test_the_policy_is_on_a_refused_host_and_a_refused_form_too():
    assert "Content-Security-Policy" in Client(headers={"host": "evil.example"}).get("/").headers
    refused = Client(enforce_csrf_checks=True).post("/sign-in/")
    assert "Content-Security-Policy" in refused.headers
