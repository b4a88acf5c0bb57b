"""Threads that look after something: what they meet is told once, and ends none of them."""

from unittest.mock import Mock

import pytest
from django.db import DataError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from web.database import OtherSchema, is_passing
from web.threads import Watch

pytestmark = pytest.mark.django_db


@pytest.fixture
def watch():
    return Watch("tests", 0)


def test_the_same_error_is_logged_once_and_again_after_a_recovery(watch, caplog, monkeypatch):
    looks = iter([OperationalError("gone"), OperationalError("gone"), None, OperationalError("gone")])

    def look():
        if error := next(looks):
            raise error

    monkeypatch.setattr("web.threads.connection", Mock())
    monkeypatch.setattr("web.threads.close_old_connections", Mock())
    monkeypatch.setattr(watch, "look", look)
    for _ in range(4):
        watch._look()
    assert caplog.text.count("The database is away, so tests wait. gone") == 2


def test_an_unexpected_error_is_logged_with_its_traceback(watch, caplog):
    try:
        raise KeyError("odd")
    except KeyError as error:
        watch.tell(error)
    assert "please report it" in caplog.text
    assert "KeyError: 'odd'" in caplog.text


def test_it_waits_for_an_unreachable_or_other_version_of_the_database_but_not_for_one_that_refuses():
    assert is_passing(OperationalError("gone")) and is_passing(OtherSchema("newer"))
    assert not is_passing(DataError("too long")) and not is_passing(KeyError("odd"))
    MigrationRecorder(connection).record_applied("training", "9999_upgrade")
    assert is_passing(DataError("no such column"))
