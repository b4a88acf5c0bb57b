"""The OpenAPI document: complete, without warnings, and correct."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml
from django.core.management import call_command
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft4Validator
from rest_framework.test import APIClient

from onetrainer_site.openapi import EXAMPLES_FILE, METHODS, read_examples
from tests.api import trainer
from tests.site.api_calls import CALLS, WITHOUT
from tests.site.api_shown import OF_THE_MOMENT, shown
from tests.site.api_world import call, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(settings):
    settings.ALLOWED_ROOTS = []  # the answers must name no folder of this host
    settings.DEMO_DIR = settings.DATA_DIR / "demo"
    client = trainer()
    make_world(client.user)
    return client


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(document):
    return {
        methods[method]["operationId"]: methods[method]
        for methods in document["paths"].values()
        for method in METHODS
        if method in methods
    }


def test_the_document_is_valid_and_free_of_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "api.yaml"))


def test_every_operation_has_an_example_or_a_reason(document):
    assert set(operations(document)) == set(CALLS) | WITHOUT
    assert set(read_examples()) == set(CALLS)


@pytest.mark.parametrize("operation", CALLS)
def test_each_example_equals_the_answer_of_the_site(api, document, operation):
    answer = call(api, operation)
    body = shown(answer.json(), operation)
    if os.environ.get("WRITE_EXAMPLES") and operation not in OF_THE_MOMENT:
        write_example(operation, answer.status_code, body)
    example = read_examples()[operation]
    assert (answer.status_code, body) == (example["status"], shown(example["response"], operation))
    assert example.get("request") == CALLS[operation][2]
    schema = answer_schema(document, operation, answer.status_code)
    Draft4Validator(with_null(schema) | {"components": with_null(document["components"])}).validate(answer.json())


def write_example(operation, status, body):
    """Run with WRITE_EXAMPLES=1 to rewrite the examples after a change of the API."""
    request = CALLS[operation][2]
    example = {"status": status} | ({} if request is None else {"request": request}) | {"response": body}
    examples = read_examples() | {operation: example}
    read_examples.cache_clear()
    EXAMPLES_FILE.write_text(json.dumps(dict(sorted(examples.items())), indent=1, ensure_ascii=False) + "\n")


def answer_schema(document, operation, status):
    return operations(document)[operation]["responses"][str(status)]["content"]["application/json"]["schema"]


def with_null(schema):
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [with_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: with_null(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain


def test_every_operation_says_what_it_does_and_how_it_fails(document):
    for name, operation in operations(document).items():
        assert operation.get("description"), name
        assert "401" in operation["responses"], name


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_document_and_its_page_are_served(api, slash):
    assert yaml.safe_load(api.get(f"/api/schema{slash}").content)["info"]["title"] == "OneTrainer Web UI"
    assert api.get(f"/api/schema{slash}?format=json").json()["openapi"].startswith("3.")
    page = api.get(f"/api/docs{slash}")
    (script,) = re.findall(r'src="(/api/docs[^"]*)"', page.content.decode())
    assert reverse("api:schema") in api.get(script).content.decode()
    assert APIClient().get(f"/api/schema{slash}").status_code == 401
