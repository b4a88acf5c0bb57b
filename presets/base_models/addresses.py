"""A model by an address: a file of the hub, a model of Civitai, or any other file on the web."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from engine.interface.safetensors_header import BadHeader, read_header
from presets.base_models.download import Passing, Refused, RemoteFile, refuse, sentence_of, unreachable
from presets.base_models.plan import FetchPlan
from web.errors import BadInput
from web.outgoing import checked_address, client

ENDINGS = (".safetensors", ".gguf")
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
UNSAFE = re.compile(r"[^\w.+() -]")
LONGEST_NAME = 120
DISPOSITION = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]+)", re.IGNORECASE)
HUB_FILE = re.compile(r"/([^/]+/[^/]+)/(?:blob|resolve)/([^/]+)/(.+)")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
GGUF = b"GGUF"
TokenOf = Callable[[str], str]  # host -> the kept token, or empty


def plan_of(address: str, token_of: TokenOf, sha256: str = "") -> FetchPlan:
    """The file behind this address, in the data folder's `models`. Raises DomainError."""
    url = checked_address(address)
    if _is_on(url, settings.CIVITAI_ENDPOINT):
        return _of_civitai(url, token_of)
    if _is_on(url, settings.HF_ENDPOINT) and (found := HUB_FILE.fullmatch(url.path)):
        url = url.copy_with(path=f"/{found[1]}/resolve/{found[2]}/{found[3]}", query=None)
    return _of_file(url, token_of(url.host), sha256.lower())


def refuse_pickles(name: str) -> None:
    """Raises Refused for a file that is no safetensors or GGUF file by its name."""
    if name.lower().endswith(PICKLES):
        raise Refused(
            _("%(name)s is a pickle, which can run a program when it is loaded: choose a .safetensors file.")
            % {"name": name}
        )
    if not name.lower().endswith(ENDINGS):
        raise Refused(_("%(name)s is no .safetensors or .gguf file: choose one.") % {"name": name or _("The file")})


def refuse_other_content(path: Path) -> None:
    """Raises Refused, and removes the file, if its content is not what its name says."""
    try:
        if path.suffix.lower() == ".gguf":
            with path.open("rb") as content:
                is_right = content.read(len(GGUF)) == GGUF
        else:
            is_right = read_header(path).file_size == path.stat().st_size
    except BadHeader:
        is_right = False
    if not is_right:
        path.unlink()
        raise Refused(
            _("%(name)s is not a %(ending)s file, so it was removed: choose another.")
            % {"name": path.name, "ending": path.suffix}
        )


def _is_on(url: httpx2.URL, endpoint: str) -> bool:
    other = httpx2.URL(endpoint)
    return (url.host.removeprefix("www."), url.port) == (other.host, other.port)


def _of_file(url: httpx2.URL, token: str, sha256: str) -> FetchPlan:
    """Ask the host for the name, the size and, on the hub, the hash; nothing of the file is read."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with client([settings.HF_ENDPOINT]) as session:
        answer = _ask(session, url, {**headers, "Range": "bytes=0-0", "Accept-Encoding": "identity"})
    name = _name_of(answer, url)
    refuse_pickles(name)
    told = [one.headers.get("X-Linked-Etag", "").strip('"') for one in (*answer.history, answer)]
    linked = next((digest for digest in told if SHA256.fullmatch(digest)), "")
    return _single(str(url), name, _size_of(answer), sha256 or linked, headers)


def _single(address: str, name: str, size: int | None, sha256: str, headers: dict[str, str]) -> FetchPlan:
    target = settings.DATA_DIR / "models" / name
    file = RemoteFile(address, target, size, sha256.lower(), headers)
    return FetchPlan(str(target), [file], lambda: refuse_other_content(target))


def _ask(session: httpx2.Client, url: httpx2.URL, headers: dict[str, str]) -> httpx2.Response:
    try:
        with session.stream("GET", url, headers=headers) as answer:
            refuse(answer)
            return answer
    except Passing as error:
        raise Refused(sentence_of(error.status, url.host)) from error
    except httpx2.HTTPError as error:
        raise unreachable(url.host) from error


def _name_of(answer: httpx2.Response, url: httpx2.URL) -> str:
    """The file's name: as its host sends it, or the last part of the address; safe as a name in a folder."""
    sent = DISPOSITION.search(answer.headers.get("Content-Disposition", ""))
    return safe_name(unquote(sent[1]) if sent else url.path)


def safe_name(text: str) -> str:
    """The last part of a path, without characters that a config or a folder cannot have."""
    name = UNSAFE.sub("_", text.replace("\\", "/").rpartition("/")[2]).strip(" ._") or "model"
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:LONGEST_NAME]}{dot}{ending[:12]}" if dot else name[:LONGEST_NAME]


def _size_of(answer: httpx2.Response) -> int | None:
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    length = total if answer.status_code == 206 else answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


# -- Civitai -----------------------------------------------------------------------------------------------------------


def _of_civitai(url: httpx2.URL, token_of: TokenOf) -> FetchPlan:
    """The main safetensors file of a model's version; Civitai tells its name and SHA-256."""
    token = token_of(httpx2.URL(settings.CIVITAI_ENDPOINT).host)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with client([settings.CIVITAI_ENDPOINT]) as session:
        version = _version(session, url, headers)
    files = [file for file in version.get("files") or [] if str(file.get("name", "")).lower().endswith(ENDINGS)]
    if not files:
        raise Refused(_("This version on Civitai has no .safetensors file: choose another version."))
    file = next((one for one in files if one.get("primary")), files[0])
    digest = str((file.get("hashes") or {}).get("SHA256") or "")
    address = str(checked_address(str(file.get("downloadUrl") or version.get("downloadUrl") or "")))
    same_host = _is_on(httpx2.URL(address), settings.CIVITAI_ENDPOINT)
    return _single(address, safe_name(str(file["name"])), None, digest, headers if same_host else {})


def _version(session: httpx2.Client, url: httpx2.URL, headers: dict[str, str]) -> dict[str, Any]:
    """The version that an address of Civitai means: its own, or the newest of the model."""
    number = url.params.get("modelVersionId") or _after(url.path, "models") if "/api/" in url.path else None
    number = number or url.params.get("modelVersionId")
    if number:
        return _json(session, f"/api/v1/model-versions/{number}", headers)
    model = _after(url.path, "models")
    if not model:
        raise BadInput(_("Use the address of a model's page on Civitai, such as https://civitai.com/models/4384."))
    versions = _json(session, f"/api/v1/models/{model}", headers).get("modelVersions") or []
    if not versions:
        raise Refused(_("This model has no version on Civitai any more: choose another."))
    return versions[0]


def _after(path: str, word: str) -> str:
    found = re.search(rf"/{word}/(\d+)", path)
    return found[1] if found else ""


def _json(session: httpx2.Client, path: str, headers: dict[str, str]) -> dict[str, Any]:
    url = httpx2.URL(f"{settings.CIVITAI_ENDPOINT}{path}")
    try:
        answer = session.get(url, headers=headers)
        refuse(answer)
        content = answer.json()
    except Passing as error:
        raise Refused(sentence_of(error.status, url.host)) from error
    except httpx2.HTTPError as error:
        raise unreachable(url.host) from error
    except ValueError as error:
        raise Refused(_("Civitai's answer cannot be read: try again later.")) from error
    return content if isinstance(content, dict) else {}
