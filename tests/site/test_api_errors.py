"""Refusals of the API: always one sentence in JSON that says what to do."""

from __future__ import annotations

import json
import logging

import pytest
from django.core.cache import cache
from django.db import DatabaseError
from redis.exceptions import ConnectionError as RedisIsAway
from rest_framework.test import APIClient

from tests.api import trainer
from tests.making import make_living_worker, make_run, make_user
from training.runs.service import TrainerService
from web.api.throttling import WriteThrottle
from web.site_address import LOCAL

pytestmark = pytest.mark.django_db
EVERYTHING = ["training/status", "config/list", "runs/", "presets/", "samples/", "workers/", "me", "schema", "docs"]


@pytest.fixture
def api():
    return trainer()


def refused(answer, status):
    """Check the answer's form, and return its sentence."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) <= {"detail", "errors"} and isinstance(body["detail"], str) and body["detail"]
    return body["detail"]


@pytest.mark.parametrize("call", EVERYTHING)
@pytest.mark.parametrize("header", ["", "Token wrong", "Token", "Token a b", "Bearer x"])
def test_the_answer_without_a_token_says_how_to_sign_in(call, header):
    client = APIClient(headers={"authorization": header} if header else {})
    answer = client.get(f"/api/{call}")
    assert "Token" in refused(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_an_inactive_user_is_not_signed_in(api):
    api.user.is_active = False
    api.user.save()
    refused(api.get("/api/me"), 401)


def test_a_session_signs_in_and_needs_a_csrf_token_to_change_something():
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user("root", is_staff=True))
    assert client.get("/api/me").status_code == 200
    refused(client.post("/api/training/stop"), 403)


@pytest.mark.parametrize("path", ["/api/nothing", "/api/training", "/api/runs/7/stop", "/api/%00", "/api/ü"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_answered_in_json(path, method, api):
    for client in (api, APIClient()):
        refused(getattr(client, method)(path), 404)


@pytest.mark.parametrize(
    ("method", "call"),
    [("post", "training/status"), ("get", "training/start"), ("delete", "config/list"), ("put", "runs/")],
)
def test_the_answer_to_a_wrong_method_names_the_right_method(api, method, call):
    answer = getattr(api, method)(f"/api/{call}")
    sentence = refused(answer, 405)
    assert answer.headers["Allow"].split(",")[0] in sentence


NOT_JSON = [b"{", b" ", b"\xff\xfe", b"{'a': 1}", b"NaN", b'{"a": Infinity}', b"[" * 100_000]


@pytest.mark.parametrize("body", [*NOT_JSON, b"null"])
def test_a_body_with_invalid_json_is_refused(api, body):
    address = "/api/config/validate"
    answer = api.generic("POST", address, body, content_type="application/json")
    refused(answer, 400)


@pytest.mark.parametrize("text", [r'"\u0000"', r'"\ud800"', r'{"\u0000": 1}', r'{"a": [{"b": "x\u0000"}]}'])
def test_a_nul_character_is_refused(api, text):
    body = f'{{"config": {text}}}'.encode()
    refused(api.generic("PUT", "/api/config/current", body, content_type="application/json"), 400)


def test_an_escaped_text_that_looks_like_a_nul_is_accepted(api):
    answer = api.put("/api/config/current", {"config": {"base_model_name": r"a\u0000b ✓ 𝄞"}})
    assert answer.json()["config"]["base_model_name"] == r"a\u0000b ✓ 𝄞"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_content_type_other_than_json_is_refused(api, kind):
    answer = api.generic("POST", "/api/training/start", b"a=1", content_type=kind)
    assert "application/json" in refused(answer, 415)


def test_a_content_type_with_a_charset_is_accepted(api):
    answer = api.generic("POST", "/api/config/validate", b"{}", content_type="application/json; charset=utf-8")
    assert answer.status_code == 200


@pytest.mark.parametrize("accepted", ["text/html", "image/png", "application/xml", "nonsense"])
def test_the_answer_is_json_whatever_the_client_accepts(api, accepted):
    assert api.get("/api/training/status", headers={"accept": accepted}).json()["status"] == "idle"


def test_a_request_that_is_too_large_is_refused(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert "1 kB" in refused(api.post("/api/config/validate", {"a": "x" * 1000}), 413)
    assert api.post("/api/config/validate", {"a": "x" * 900}).status_code == 200


def test_a_throttled_client_is_told_when_to_retry(api, settings):
    settings.API_RATES = {"read": "2/min", "write": "1/min"}
    for _ in range(2):
        assert api.get("/api/me").status_code == 200
    answer = api.get("/api/me")
    refused(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert api.post("/api/config/validate", {}).status_code == 200
    refused(api.post("/api/config/validate", {}), 429)
    assert trainer("grace").get("/api/me").status_code == 200


def test_requests_are_not_counted_while_the_cache_is_away(api, monkeypatch, caplog):
    def get(*args):
        raise RedisIsAway("no route")

    monkeypatch.setattr(WriteThrottle, "cache", type("Away", (), {"get": get}))
    assert api.post("/api/config/validate", {}).status_code == 200
    assert "the cache is away" in caplog.text.lower()
    cache.clear()


def test_a_server_error_is_logged_and_the_client_gets_no_traceback(api, monkeypatch, caplog, settings):
    def get_state(self):
        raise DatabaseError("the secret reason")

    settings.DEBUG = True
    monkeypatch.setattr(TrainerService, "get_state", get_state)
    with caplog.at_level(logging.ERROR):
        answer = api.get("/api/training/status")
    assert "log" in refused(answer, 500)
    assert "secret reason" not in answer.content.decode()
    assert "the secret reason" in caplog.text and "Traceback" in caplog.text


def test_the_error_names_the_wrong_field(api):
    run = make_run()
    body = json.loads(api.patch(f"/api/runs/{run.pk}/", {"priority": "high", "name": "x" * 300}).content)
    assert set(body["errors"]) == {"priority", "name"}
    assert body["detail"].startswith(("priority:", "name:"))


def test_a_foreign_host_is_refused_in_json(api):
    refused(api.get("/api/me", headers={"host": "evil.example"}), 400)


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://localhost", "http://127.0.0.1:8080", "http://[::1]:1"]
)
def test_pages_of_this_machine_may_call_from_another_port_where_that_is_on(origin, settings):
    settings.CORS_ALLOWED_ORIGIN_REGEXES = [LOCAL]
    wish = {"origin": origin, "access-control-request-method": "POST"}
    answer = APIClient().options("/api/training/start", headers=wish)
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "null", "http://localhost:3000.evil"]
)
def test_pages_of_other_sites_may_not_call(api, origin):
    answer = api.get("/api/me", headers={"origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_listed_site_may_call(api, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    answer = api.get("/api/me", headers={"origin": "https://friend.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"


def test_the_root_redirects_to_the_documentation(api):
    answer = api.get("/api/")
    assert answer.status_code == 302 and answer.headers["Location"] == "/api/docs"


@pytest.mark.parametrize(
    ("address", "known"),
    [("/api/runs/{run}/", "name, notes, tags"), ("/api/queue/{run}", "position"), ("/api/workers/host:gpu0/", "drain")],
)
def test_a_body_with_an_unknown_field_is_refused_with_the_names_of_the_known_ones(address, known):
    run = make_run()
    make_living_worker(name="host:gpu0", host="host", gpu="0")
    answer = trainer().patch(address.format(run=run.pk), {"colour": "red", "drain": True, "name": "New"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("There is no field colour") and known in answer.json()["detail"]
    assert list(answer.json()["errors"]) == ["colour"]
    run.refresh_from_db()
    assert run.name == "Stars"
