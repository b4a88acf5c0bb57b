"""Answers to users and scripts while the database does not answer."""

import pytest
from django.db import OperationalError
from django.test import Client

from tests.making import make_user

pytestmark = pytest.mark.django_db
AWAY = "server closed the connection unexpectedly"


@pytest.fixture
def client(monkeypatch):
    """A client that signed in before the database went away."""
    client = Client(raise_request_exception=False)
    client.force_login(make_user())

    def away(*args, **kwargs):
        raise OperationalError(AWAY)

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", away)
    return client


@pytest.mark.parametrize("path", ["/", "/runs/", "/admin/"])
def test_a_page_reports_it_and_retries(client, path):
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "nothing is lost" in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/training/status", "/api/runs/", "/api/me"])
def test_the_api_reports_it_in_json(client, path):
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "try again in a few seconds" in answer.json()["detail"]


def test_a_partial_request_gets_a_sentence_and_replaces_no_content(client):
    answer = client.get("/", headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/", "/runs/"])
def test_the_log_has_one_line_for_it(client, path, caplog):
    client.get(path)
    (record,) = [one for one in caplog.records if one.name == "django.request"]
    assert record.exc_info is None and record.levelname == "WARNING"
    assert record.getMessage() == f"Service Unavailable: {path}: the database is away: {AWAY}"


def test_other_database_errors_stay_server_errors(client, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", broken)
    assert client.get("/").status_code == 500


@pytest.mark.parametrize("message", ["database or disk is full", "could not extend file: No space left on device"])
def test_a_full_disk_is_reported_with_the_fix(client, monkeypatch, message):
    def full(*args, **kwargs):
        raise OperationalError(message)

    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", full)
    assert "free some space on it" in client.get("/api/runs/").json()["detail"]
    assert "Free some space" in client.get("/runs/").content.decode()
