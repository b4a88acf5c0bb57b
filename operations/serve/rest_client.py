"""A client of the site's own REST API, in the standard library: for commands that work as scripts do."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from engine.interface.json_types import JsonObject

PATIENCE = 60  # seconds for one answer


class ApiError(Exception):
    """The API refused the request, or does not answer."""


class ApiClient:
    """Speaks JSON with one site, as the owner of a token; uses no proxy, because the site is on this machine."""

    def __init__(self, address: str, token: str) -> None:
        self.where = urlsplit(address)
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: JsonObject | None = None) -> Any:
        return self._call("POST", path, json.dumps(body or {}))

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        connection = http.client.HTTPConnection(self.where.hostname or "", self.where.port, timeout=PATIENCE)
        try:
            connection.request(method, f"/api/{path}", body, self.headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f"The site does not answer as it should ({error}): see web.log.") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise ApiError(content.get("detail", f"The site answered with status {answer.status}."))
        return content
