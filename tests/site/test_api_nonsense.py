"""Nonsense for every address of the API: the API refuses it, and the server never fails."""

from __future__ import annotations

from functools import cache

import pytest
from drf_spectacular.generators import SchemaGenerator

from onetrainer_site.openapi import METHODS
from tests.api import trainer
from tests.site.api_calls import FINISHED, RUNNING
from tests.site.api_world import filled, make_world

pytestmark = pytest.mark.django_db
TEXTS = ["", "x" * 5000, "-1", "9" * 50, "1e999", "null", "ü✓", "a\x00b", "../..", "' OR 1=1 --", "true", "[]"]
OF_ANY_LIST = {"cursor", "page_size", "ordering", "search"}
BODIES = [
    None,
    [],
    "text",
    7,
    {"name": 5, "config": 5, "config_dict": [], "tags": 5, "overrides": "x", "preset": {}, "backup": [], "prompt": 3},
    {"config_dict": {"concepts": [None, 5, {"path": 7, "text": 5}], "samples": "x", "optimizer": 5, "unet": None}},
    {"config": {"concepts": {"a": 1}, "batch_size": -(10**40), "": {"": []}}, "name": "n"},
    {"prompt": "x", "width": 10**40, "seed": -1, "cfg_scale": "much", "noise_scheduler": 5, "frames": None},
    {"preset": "x" * 5000, "engine": ["builtin"], "priority": True, "notes": None},
    {"presets": [{"name": None}, 5], "config_path": "\u2028", "name": {"a": []}},
    {"config_path": "~nobody/x.json", "engine": "builtin"},
    {"concept_file_name": "/proc/self/mem", "sample_definition_file_name": 5, "base_model_name": {}},
]


@cache
def addresses():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        (path, method, [each["name"] for each in methods[method].get("parameters", []) if each["in"] == "query"])
        for path, methods in paths.items()
        for method in METHODS
        if method in methods
    ]


@pytest.fixture
def api():
    client = trainer()
    make_world(client.user)
    return client


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_nonsensical_bodies_are_refused(api, body):
    for path, method, _ in addresses():
        if method in ("post", "put", "patch"):
            for run in (RUNNING, FINISHED) if "/runs/{id}" in path else (RUNNING,):
                answer = getattr(api, method)(filled(path, run), body, format="json")
                assert answer.status_code < 500, (method, path, body, answer.content)


@pytest.mark.parametrize("text", TEXTS)
def test_nonsensical_parameters_are_refused(api, text):
    turn = TEXTS.index(text)
    for number, (path, method, queries) in enumerate(addresses()):
        if method == "get" and queries:
            address = filled(path)
            for query in queries:
                if query in OF_ANY_LIST and (number + turn) % 4:
                    continue  # one class reads it for all lists, which share the texts
                answer = api.get(address, {query: text})
                assert answer.status_code < 500, (path, query, text, answer.content)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("put", "/api/config/current", r'{"base_model_name": "\ud800"}'),
        ("patch", "/api/config/current", r'{"changes": [{"field": "base_model_name", "value": "a\udfff"}]}'),
        ("post", "/api/config/save/Half", r'{"\ud800": 1}'),
        ("post", "/api/presets/", r'{"name": "\ud800", "config": {}}'),
        ("post", "/api/training/start", r'{"preset": "\ud800"}'),
        ("post", "/api/samples/generate", r'{"prompt": "\ud83d a cat"}'),
        ("patch", f"/api/runs/{RUNNING}/", r'{"notes": "\ud800", "tags": ["\udfff"]}'),
    ],
)
def test_half_a_character_is_refused_in_every_text(api, method, path, body):
    answer = getattr(api, method)(path, body, content_type="application/json")
    assert answer.status_code == 400 and "half a character" in answer.json()["detail"]
