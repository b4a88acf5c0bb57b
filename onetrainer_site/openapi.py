"""Additions to the OpenAPI document: addresses as in the contract, errors, examples."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from rest_framework.viewsets import GenericViewSet

from engine.interface.json_types import JsonObject

DESCRIPTION_FILE = Path(__file__).with_name("api_description.md")
EXAMPLES_FILE = Path(__file__).with_name("api_examples.json")
METHODS = ("get", "post", "put", "patch", "delete")
ERROR = {
    "type": "object",
    "properties": {
        "detail": {"type": "string", "description": "One sentence that says what to do."},
        "errors": {
            "type": "object",
            "description": "The errors of fields, by dotted path.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["detail"],
}
REASONS = {
    "400": "The request is wrong.",
    "401": "Not signed in.",
    "403": "Not allowed.",
    "404": "This does not exist.",
    "409": "The state does not allow it.",
    "413": "The request is too large.",
    "415": "The request is not JSON.",
    "429": "Too many requests; Retry-After says how many seconds to wait.",
}


def one_address_each(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Write resources with a slash at the end and all other addresses without, as in the contract; both work."""
    return [(_written(path, view), regex, method, view) for path, regex, method, view in endpoints]


def _written(path: str, view: Any) -> str:
    return path if issubclass(view.cls, GenericViewSet) else path.rstrip("/")


def describe(result: JsonObject, **context: Any) -> JsonObject:
    """Start with the facts common to all calls, and the WebSockets, which OpenAPI cannot describe."""
    result["info"]["description"] = DESCRIPTION_FILE.read_text()
    return result


def add_errors(result: JsonObject, **context: Any) -> JsonObject:
    """Add the possible errors to each operation."""
    result["components"]["schemas"]["Error"] = ERROR
    for path, methods in result["paths"].items():
        for method in METHODS:
            if method in methods:
                for status in _errors_of(path, method, methods[method]):
                    methods[method]["responses"].setdefault(status, _error(status))
    return result


def _errors_of(path: str, method: str, operation: JsonObject) -> list[str]:
    statuses = ["401"]
    if method != "get" or any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        statuses.append("400")
    if "{" in path:
        statuses.append("404")
    if method != "get":
        statuses += ["403", "409", "413", "415"]
    return sorted([*statuses, "429"])


def _error(status: str) -> JsonObject:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": REASONS[status], "content": content}


@functools.cache
def read_examples() -> dict[str, JsonObject]:
    """Real requests and responses by operation id; a test repeats each of them."""
    return json.loads(EXAMPLES_FILE.read_text())


def add_examples(result: JsonObject, **context: Any) -> JsonObject:
    """Add an example of a request and a response to each operation."""
    for methods in result["paths"].values():
        for method in METHODS:
            operation = methods.get(method, {})
            if example := read_examples().get(operation.get("operationId", "")):
                _add(operation, example)
    return result


def _add(operation: JsonObject, example: JsonObject) -> None:
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    content = operation["responses"][str(example["status"])].get("content", {})
    if "response" in example:
        content["application/json"]["example"] = example["response"]
