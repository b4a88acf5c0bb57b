"""Models of the Hugging Face hub: which files a training needs, and their places in the hub's own cache.

Every program that uses the hub finds them there. `huggingface_hub` reads the list of files; the files themselves are
fetched by `download`, since the library keeps no partial file that another process could continue.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _
from huggingface_hub import HfApi, set_client_factory
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import ModelInfo, RepoSibling

from engine.builtin.families.model_files import hub_cache
from engine.hub_files import INDEX, NOT_NEEDED, WEIGHTS, choose
from presets.base_models.download import Passing, Refused, RemoteFile, gated, refuse, sentence_of, unreachable
from presets.base_models.plan import FetchPlan
from web.errors import DomainError, NotFound
from web.outgoing import client

REVISION = "main"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".msgpack", ".h5")
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def plan_of(name: str, token: str = "", cache_dir: str = "") -> FetchPlan:
    """The files of this model that a training needs. Raises DomainError with a sentence that says what to do."""
    with client([settings.HF_ENDPOINT], headers=_headers(token)) as session:
        info = _facts(name, token)
        files = {entry.rfilename: entry for entry in info.siblings or []}
        commit = str(info.sha)
        parts = _parts(session, name, commit) if INDEX in files else None
    chosen = choose(list(files), parts)
    _refuse_other_layouts(name, list(files), chosen)
    folder = hub_cache(cache_dir) / f"models--{name.replace('/', '--')}"
    remote = {path: _remote(name, commit, files[path], folder, _headers(token)) for path in chosen}
    pointers = {path: file.target.name for path, file in remote.items()}
    unique = list({file.target: file for file in remote.values()}.values())
    return FetchPlan(name, unique, lambda: place(folder, commit, pointers), {"licence": _licence(info)})


def _refuse_other_layouts(name: str, files: list[str], chosen: list[str]) -> None:
    if any(path.endswith(WEIGHTS) for path in chosen) and (INDEX in files or "config.json" in files):
        return
    if any(path.endswith(WEIGHTS) and "/" not in path for path in files):
        sentence = _("%(name)s has single files: fetch one by its address, such as %(address)s.")
        first = next(path for path in sorted(files) if path.endswith(WEIGHTS))
        address = f"{settings.HF_ENDPOINT}/{name}/blob/{REVISION}/{first}"
        raise Refused(sentence % {"name": name, "address": address})
    if any(path.endswith(PICKLES) for path in files):
        raise Refused(
            _("%(name)s has only pickled weights, which can run a program: choose a model with .safetensors files.")
            % {"name": name}
        )
    raise Refused(_("%(name)s has no weights in .safetensors files: choose another model.") % {"name": name})


def _remote(name: str, commit: str, entry: RepoSibling, folder: Path, headers: dict[str, str]) -> RemoteFile:
    """A file of the model; in the cache it is named by its hash."""
    path = entry.rfilename
    digest = str((entry.lfs.sha256 if entry.lfs else entry.blob_id) or "")
    if not DIGEST.fullmatch(digest) or ".." in path.split("/"):
        raise Refused(_("The hub gives no usable hash for %(path)s: choose another model.") % {"path": path})
    address = f"{settings.HF_ENDPOINT}/{name}/resolve/{commit}/{path}"
    return RemoteFile(address, folder / "blobs" / digest, entry.size, digest, headers)


def place(folder: Path, commit: str, pointers: dict[str, str]) -> None:
    """Make the snapshot of the fetched files, as the hub's own library does; its name in `refs` comes last."""
    snapshot = folder / "snapshots" / commit
    for path, blob in pointers.items():
        pointer = snapshot / path
        pointer.parent.mkdir(parents=True, exist_ok=True)
        above = "../" * (path.count("/") + 2)
        if not pointer.exists():
            pointer.unlink(missing_ok=True)  # a link to nothing
            pointer.symlink_to(f"{above}blobs/{blob}")
    reference = folder / "refs" / REVISION
    reference.parent.mkdir(parents=True, exist_ok=True)
    fresh = reference.with_name(f".{REVISION}.new")
    fresh.write_text(commit)
    fresh.replace(reference)


# -- the hub's answers -------------------------------------------------------------------------------------------------


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _facts(name: str, token: str) -> ModelInfo:
    """The model's files, as the hub's library reads them; this client checks the addresses."""
    set_client_factory(lambda: client([settings.HF_ENDPOINT]))
    try:
        return HfApi(endpoint=settings.HF_ENDPOINT, token=token or False).model_info(name, files_metadata=True)
    except GatedRepoError as error:
        raise gated(name) from error
    except RepositoryNotFoundError as error:
        raise _unknown(name, bool(token)) from error
    except HfHubHTTPError as error:
        raise Refused(sentence_of(error.response.status_code, host())) from error
    except (httpx2.HTTPError, OSError) as error:
        raise unreachable(host()) from error
    except ValueError as error:
        raise Refused(_("%(host)s does not answer as a hub does: check HF_ENDPOINT.") % {"host": host()}) from error


def _unknown(name: str, has_token: bool) -> DomainError:
    if has_token:
        return NotFound(_("%(name)s is not on the hub, or not for your account: check the name.") % {"name": name})
    return NotFound(
        _("%(name)s is not on the hub, or is private: check the name, or enter your token on the account page.")
        % {"name": name}
    )


def _parts(session: httpx2.Client, name: str, commit: str) -> set[str]:
    """The folders that the model's index names and that a training loads."""
    try:
        answer = session.get(f"{settings.HF_ENDPOINT}/{name}/resolve/{commit}/{INDEX}")
        refuse(answer)
        index = answer.json()
    except Passing as error:
        raise Refused(sentence_of(error.status, host())) from error
    except httpx2.HTTPError as error:
        raise unreachable(host()) from error
    except ValueError as error:
        raise Refused(_("%(name)s has a damaged model_index.json: choose another model.") % {"name": name}) from error
    named = index.items() if isinstance(index, dict) else ()
    return {part for part, entry in named if isinstance(entry, list) and any(entry) and part not in NOT_NEEDED}


def _licence(info: ModelInfo) -> str:
    card: Any = info.card_data or {}
    return str(card.get("license_name") or card.get("license") or "")


def host() -> str:
    """The hub's own host, to which its token may be sent."""
    return httpx2.URL(settings.HF_ENDPOINT).host
