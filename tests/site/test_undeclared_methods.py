"""Methods that an address does not have, and tokens of which there were too many, get an answer and never a 500."""

from __future__ import annotations

import pytest
from django.test import override_settings

from tests.api import trainer
from web.guard.identity import is_known

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["base-models/uploads", "training/stop", "ws-ticket", "auth/token"])
def test_an_address_without_get_answers_405(address):
    assert trainer().get(f"/api/{address}").status_code == 405


@override_settings(SIGN_IN_TRIES=1)
def test_too_many_wrong_tokens_are_nobody_before_the_body_is_read():
    headers = [(b"host", b"localhost"), (b"authorization", b"Token wrong")]
    scope = {"type": "http", "method": "PATCH", "path": "/api/me", "query_string": b"", "headers": headers,
             "client": ("192.0.2.9", 1), "server": ("localhost", 80), "scheme": "http"}  # fmt: skip
    assert [is_known(scope) for _ in range(40)] == [False] * 40
