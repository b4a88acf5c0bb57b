"""Threads that look after something: what they meet is told once, and ends none of them."""

import pytest
from django.db import DataError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from web.database import OtherSchema, is_passing
from web.threads import Watch

pytestmark = pytest.mark.django_db


class Looks(Watch):
    """Raises the given errors, one at each look, and ends; None stands for a look without an error."""

    def __init__(self, errors):
        super().__init__("tests", 0)
        self._errors = list(errors)

    def look(self):
        error = self._errors.pop(0)
        if not self._errors:
            self.end()
        if error:
            raise error


def test_the_same_error_is_logged_once_and_again_after_a_recovery(caplog):
    gone = OperationalError("gone")
    watch = Looks([gone, gone, None, gone])
    watch.start()
    watch.join()
    assert caplog.text.count("The database is away, so tests wait. gone") == 2


def test_an_unexpected_error_is_logged_with_its_traceback(caplog):
    watch = Looks([KeyError("odd")])
    watch.start()
    watch.join()
    assert "please report it" in caplog.text
    assert "KeyError: 'odd'" in caplog.text


def test_it_waits_for_an_unreachable_or_other_version_of_the_database_but_not_for_one_that_refuses():
    assert is_passing(OperationalError("gone")) and is_passing(OtherSchema("newer"))
    assert not is_passing(DataError("too long")) and not is_passing(KeyError("odd"))
    MigrationRecorder(connection).record_applied("training", "9999_upgrade")
    assert is_passing(DataError("no such column"))
