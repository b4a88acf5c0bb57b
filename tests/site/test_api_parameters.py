"""Query parameters of the API: a GET refuses one that the OpenAPI document does not list."""

from __future__ import annotations

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.api import admin, trainer
from tests.site.api_world import filled, make_world

pytestmark = pytest.mark.django_db
# Lists without own parameters, and lists of one run.
LISTS = {
    "/api/queue",
    "/api/base-models",
    "/api/base-models/fetches",
    "/api/datasets/limits/",
    "/api/datasets/{id}/tags",
    "/api/datasets/{id}/zip/",
    "/api/cleanup/usage",
    "/api/config/list",
    "/api/system/processes",
    "/api/views/",
    "/api/runs/{id}/artifacts/",
    "/api/runs/{id}/commands/",
    "/api/runs/{id}/config/",
    "/api/runs/{id}/events/",
}
WITHOUT = {"/api/schema", "/api/presets/{id}/"}  # REST framework's views, and a row with any parameters


@pytest.fixture(scope="module")
def paths():
    return SchemaGenerator().get_schema(request=None, public=True)["paths"]


def query_parameters(operation):
    return [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]


def test_every_get_that_takes_parameters_refuses_an_unknown_one_and_names_the_known(paths):
    client = admin()
    make_world(client.user)
    with_parameters = {path for path, methods in paths.items() if query_parameters(methods.get("get", {}))}
    for path in sorted((with_parameters | LISTS) - WITHOUT):
        answer = client.get(filled(path), {"nonsense": "1"})
        assert answer.status_code == 400, (path, answer.status_code)
        assert list(answer.json()["errors"]) == ["nonsense"], path
        for name in query_parameters(paths[path]["get"]):
            assert name in answer.json()["detail"], path


def test_the_names_of_pages_and_formats_are_known_to_every_list():
    client = trainer()
    for path in ("runs", "presets", "samples", "views", "workers"):
        assert client.get(f"/api/{path}/?page_size=1&format=json").status_code == 200, path


def test_an_unknown_parameter_is_reported_only_to_signed_in_users(client):
    assert client.get("/api/runs/?nonsense=1").status_code == 401


def test_every_parameter_that_takes_one_value_is_refused_if_it_is_repeated(paths):
    client = admin()
    make_world(client.user)
    for path in paths.keys() - WITHOUT:
        for parameter in query_parameters_of(paths[path]):
            answer = client.get(filled(path), {parameter["name"]: ["1", "1"]})
            refused = f"{parameter['name']} takes one value: name it once." in answer.text
            assert refused != takes_several(parameter), (path, parameter["name"], answer.status_code)


def query_parameters_of(methods):
    return [one for one in methods.get("get", {}).get("parameters", []) if one["in"] == "query"]


def takes_several(parameter):
    return parameter["schema"]["type"] == "array"
