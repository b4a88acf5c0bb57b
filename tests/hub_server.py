"""A server that speaks the routes of the Hugging Face hub and of Civitai, for fetches without a network.

`hub_server(folder)` serves each `owner/name` folder below it as a model. Its switches make it slow, cut an answer off,
send other bytes, ask for a token or fail; `requests` has every request with its headers. Large files are redirected to
a second address, as the hub does to its storage.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".gguf", ".bin")
PIECE = 16 * 1024


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HubServer:
    """The switches of a running server; paths of files are as in the model."""

    folder: Path
    gated: set[str] = field(default_factory=set)  # models that need `token`
    token: str = "hf_right"
    seconds_per_piece: float = 0.0
    cut_after: list[int] = field(default_factory=list)  # bytes of the next answers of large files, then the line breaks
    statuses: list[int] = field(default_factory=list)  # of the next answers of large files, before they are sent
    wrong_bytes: bool = False
    ignores_range: bool = False
    always: int = 0  # the status of every answer
    redirect_to: str = ""  # where large files are sent instead of to the second address
    requests: list[Asked] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # bytes by path
    civitai: dict[str, Any] = field(default_factory=dict)  # version id -> answer
    port: int = 0
    storage_port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def storage(self) -> str:
        return f"http://127.0.0.1:{self.storage_port}"

    def asked(self, part: str) -> list[Asked]:
        return [one for one in self.requests if part in one.path]

    def files_of(self, name: str) -> list[Path]:
        root = self.folder / name
        return sorted(path for path in root.rglob("*") if path.is_file())


@contextmanager
def hub_server(folder: Path) -> Iterator[HubServer]:
    """A server on two free ports of this machine."""
    state = HubServer(folder)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(state)) for _ in range(2)]
    state.port, state.storage_port = (server.server_address[1] for server in servers)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield state
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@cache
def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def blob_id(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _handler(state: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Answers):
        hub = state

    return Handler


class _Answers(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Silent."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(Asked(self.command, self.path, dict(self.headers)))
        try:
            self._route(urlsplit(self.path).path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path: str) -> None:
        if self.hub.always:
            return self._error(self.hub.always)
        for pattern, answer in ROUTES:
            if found := re.fullmatch(pattern, path):
                return answer(self, *found.groups())
        return self._error(404, "EntryNotFound")

    # -- the hub ----------------------------------------------------------------------------------------------------

    def _model(self, name: str) -> None:
        if not (self.hub.folder / name).is_dir():
            return self._error(401, "RepoNotFound")
        files = self.hub.files_of(name)
        root = self.hub.folder / name
        facts = {"id": name, "modelId": name, "sha": COMMIT, "private": False, "tags": [], "downloads": 1, "likes": 1}
        facts["gated"] = "manual" if name in self.hub.gated else False
        facts["cardData"] = {"license": "apache-2.0"}
        with_sizes = "blobs" in parse_qs(urlsplit(self.path).query)
        facts["siblings"] = [
            {"rfilename": str(file.relative_to(root)), **(_blob(file) if with_sizes else {})} for file in files
        ]
        return self._json(facts)

    def _tree(self, name: str) -> None:
        root = self.hub.folder / name
        rows = [
            {
                "type": "file",
                "path": str(file.relative_to(root)),
                "size": file.stat().st_size,
                "oid": blob_id(file),
                **({"lfs": {"oid": sha256_of(file), "size": file.stat().st_size}} if _is_large(file) else {}),
            }
            for file in self.hub.files_of(name)
        ]
        return self._json(rows)

    def _resolve(self, name: str, file: str) -> None:
        path = self.hub.folder / name / file
        if name in self.hub.gated and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            has_token = "Authorization" in self.headers
            return self._error(403 if has_token else 401, "GatedRepo")
        if not path.is_file():
            return self._error(404, "EntryNotFound")
        if not _is_large(path):
            return self._send(path, {"X-Repo-Commit": COMMIT, "ETag": f'"{blob_id(path)}"'})
        if self.command == "GET" and self.hub.statuses:
            return self._error(self.hub.statuses.pop(0))
        linked = {"X-Linked-Etag": f'"{sha256_of(path)}"', "X-Linked-Size": str(path.stat().st_size)}
        address = self.hub.redirect_to or f"{self.hub.storage}/storage/{name}/{file}"
        return self._redirect(address, {"X-Repo-Commit": COMMIT, **linked})

    def _storage(self, name: str, file: str) -> None:
        path = self.hub.folder / name / file
        if "Authorization" in self.headers:
            return self._error(400)  # as signed addresses do, and no token may come here
        return self._send(path, {"ETag": f'"{sha256_of(path)}"'})

    def _civitai_model(self, number: str) -> None:
        self._json({"id": int(number), "modelVersions": list(self.hub.civitai.values())})

    def _civitai_file(self, number: str) -> None:
        self._redirect(f"{self.hub.storage}/storage/{self.hub.civitai[number]['file']}")

    def _civitai(self, number: str) -> None:
        if number not in self.hub.civitai:
            return self._error(404)
        return self._json(self.hub.civitai[number])

    # -- answers ----------------------------------------------------------------------------------------------------

    def _send(self, path: Path, headers: dict[str, str]) -> None:
        content = path.read_bytes()
        if self.hub.wrong_bytes and _is_large(path):
            content = content[:-1] + bytes([content[-1] ^ 1])
        begin = 0
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        is_same = self.headers.get("If-Range") in (None, headers.get("ETag"))
        if found and is_same and not self.hub.ignores_range:
            begin, last = int(found[1]), int(found[2] or len(content) - 1)
            if begin >= len(content):
                return self._error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{min(last, len(content) - 1)}/{len(content)}")
            content = content[begin : last + 1]
        else:
            self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(content)), "Accept-Ranges": "bytes"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._write(content, path)
        return None

    def _write(self, content: bytes, path: Path) -> None:
        is_whole = len(content) > 1
        cut = self.hub.cut_after.pop(0) if _is_large(path) and is_whole and self.hub.cut_after else len(content)
        for start in range(0, min(cut, len(content)), PIECE):
            piece = content[start : min(start + PIECE, cut)]
            self.wfile.write(piece)
            self.hub.sent[path.name] += len(piece)
            if self.hub.seconds_per_piece and _is_large(path):
                time.sleep(self.hub.seconds_per_piece)
        if cut < len(content):
            self.close_connection = True

    def _redirect(self, address: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(302)
        for name, value in {**(headers or {}), "Location": address, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _json(self, content: object) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str = "") -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} if code else {}
        self._answer(status, b"{}", {"Content-Type": "application/json", **headers})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


ROUTES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"/api/models/([^/]+/[^/]+)", _Answers._model),
    (r"/api/models/([^/]+/[^/]+)/tree/[^/]+/?", _Answers._tree),
    (r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", _Answers._resolve),
    (r"/storage/([^/]+/[^/]+)/(.+)", _Answers._storage),
    (r"/api/v1/model-versions/(\d+)", _Answers._civitai),
    (r"/api/v1/models/(\d+)", _Answers._civitai_model),
    (r"/api/download/models/(\d+)", _Answers._civitai_file),
)


def _is_large(path: Path) -> bool:
    return path.name.endswith(LARGE)


def _blob(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    large = {"lfs": {"sha256": sha256_of(path), "size": size, "pointerSize": 134}} if _is_large(path) else {}
    return {"size": size, "blobId": blob_id(path), **large}
