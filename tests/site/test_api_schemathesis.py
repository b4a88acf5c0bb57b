"""Valid and invalid requests to each call of the API document: no call fails.

schemathesis generates the requests from the OpenAPI document and sends them in-process.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET

from presets.models import Preset
from tests.api import trainer
from tests.site.api_world import make_world

pytestmark = pytest.mark.django_db
CALLS = re.compile(r"/api/(config|presets|base-models|browse|concepts|me/secrets|training/start)")
MORE = os.environ.get("FUZZ_EXAMPLES", "")  # this number of random requests each time
bounded = settings(
    max_examples=int(MORE or 25),
    derandomize=not MORE,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # pieces of uploads


def operations() -> list[Any]:
    document = SchemaGenerator().get_schema(request=None, public=True)
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return [one.ok() for one in found if CALLS.match(one.ok().path)]


OPERATIONS = operations()


def requests_of(operation: Any) -> st.SearchStrategy[Any]:
    """Both valid and invalid requests."""
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))


@pytest.fixture
def api(settings):
    settings.API_RATES = {"read": "", "write": ""}
    client = trainer()
    make_world(client.user)
    return client


def send(client: Any, case: Any, known: bool) -> Any:
    """Send the request as its user; `known` names existing rows, which random values would never hit."""
    there = {
        "id": Preset.objects.order_by("pk").values_list("pk", flat=True).first(),
        "number": 1,
        "name": "SD 1.5/Stars",
    }
    named = {**(case.path_parameters or {}), **(there if known else {})}
    address = case.operation.path.format(**{name: quote(str(value), safe="") for name, value in named.items()})
    query = urlencode({name: _plain(value) for name, value in (case.query or {}).items()}, doseq=True)
    body, kind = _encoded(case)
    return client.generic(case.method, f"{address}?{query}", body, content_type=kind)


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _encoded(case: Any) -> tuple[bytes, str]:
    if case.body is NOT_SET or isinstance(case.body, bytes):
        return case.body if isinstance(case.body, bytes) else b"", case.media_type or ""
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        files = {name: SimpleUploadedFile("fuzz.json", _bytes(value)) for name, value in case.body.items()}
        return encode_multipart(BOUNDARY, files), MULTIPART_CONTENT
    return json.dumps(case.body).encode(), "application/json"


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


def check_answer(answer: Any) -> None:
    """A refusal gives its reason in one sentence; any other answer follows the document."""
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert answer["Content-Type"].startswith("application/json"), answer
        detail = answer.json()["detail"]
        assert isinstance(detail, str) and detail.endswith((".", "!", "?")) and "\n" not in detail, detail
        assert all(isinstance(one, str) for sentences in answer.json().get("errors", {}).values() for one in sentences)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_a_call_is_answered_or_refused_in_a_sentence(operation, api):
    @bounded
    @given(case=requests_of(operation), known=st.booleans())
    def try_one(case: Any, known: bool) -> None:
        with transaction.atomic():
            check_answer(send(api, case, known))
            transaction.set_rollback(True)

    try_one()
