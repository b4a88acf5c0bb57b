"""One file over HTTP, into a partial file that a later attempt continues, checked by its hash before it is used."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from engine.interface.files import FULL
from web.errors import DomainError
from web.outgoing import Unreachable

CHUNK = 1 << 20
TRIES = 6  # without one new byte in between
PAUSES = (0.5, 1, 2, 5, 10)  # seconds between them
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that a later try may not get
LONGEST_WAIT = 120.0  # seconds that a host may ask to wait
SHA256_LETTERS, GIT_LETTERS = 64, 40
Report = Callable[[str, int], None]  # ("fetching" or "checking", bytes since the last call)


class Refused(DomainError):
    """The host refuses this file."""


class GatedModel(Refused):
    """The owner of this model wants an agreement first."""

    status = 403


class WrongHash(DomainError):
    """The file is not what its host announced: fetch it again."""


class DiskIsFull(DomainError):
    """The disk is full: free some space, then continue; the fetched part is kept."""

    status = 409


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch. `digest` is its SHA-256 or, for a small file of the hub, git's; empty if it is not known."""

    address: str
    target: Path
    size: int | None = None
    digest: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def partial(self) -> Path:
        """The file in progress: it has the digest in its name, so that it never continues with another content."""
        return self.target.with_name(f".{self.target.name}.{self.digest[:12] or 'new'}.partial")

    @property
    def mark(self) -> Path:
        """The host's mark of the content in the partial file, for a file whose hash is not known."""
        return self.partial.with_suffix(".etag")

    @property
    def missing(self) -> int:
        """The bytes that are still to fetch, as far as the size is known."""
        return 0 if self.target.exists() else max(0, (self.size or 0) - _size(self.partial))


def fetch(client: httpx2.Client, file: RemoteFile, report: Report) -> None:
    """Bring the file whole to its place. Raises DomainError; a partial file stays, unless its hash was wrong."""
    if file.target.exists():
        return
    try:
        file.target.parent.mkdir(parents=True, exist_ok=True)
        _fill(client, file, report)
        _check(file, report)
        file.partial.replace(file.target)
        file.mark.unlink(missing_ok=True)
    except OSError as error:
        raise explained(error, file.target) from error


def explained(error: OSError, path: Path) -> DomainError:
    """The sentence for a disk that does not take the file."""
    if error.errno in FULL:
        return DiskIsFull(_("The disk is full: free some space, then continue; the fetched part is kept."))
    return DomainError(
        _("%(path)s cannot be written (%(error)s): give the site's user permission.")
        % {"path": path, "error": error.strerror}
    )


def _fill(client: httpx2.Client, file: RemoteFile, report: Report) -> None:
    """Request the rest of the file until it is whole; each new byte gives all tries again."""
    tries = 0
    while not _is_whole(file):
        before = _size(file.partial)
        try:
            _request(client, file, report)
            return
        except (httpx2.HTTPError, Passing) as error:
            tries = 1 if _size(file.partial) > before else tries + 1
            if tries >= TRIES:
                raise _gave_up(file, error) from error
            time.sleep(error.wait if isinstance(error, Passing) and error.wait else PAUSES[tries - 1])


def _is_whole(file: RemoteFile) -> bool:
    return file.size is not None and _size(file.partial) == file.size


class Passing(Exception):
    """The host cannot answer now; `wait` are the seconds that it asks for."""

    def __init__(self, status: int, wait: float) -> None:
        super().__init__(str(status))
        self.status, self.wait = status, wait


def _request(client: httpx2.Client, file: RemoteFile, report: Report) -> None:
    """One request; the answer is appended, or begins the file anew if the host does not continue."""
    begin = _size(file.partial)
    if file.size is not None and begin > file.size:
        file.partial.unlink()
        begin = 0
    headers = {**file.headers, "Accept-Encoding": "identity", **_continuing(file, begin)}
    with client.stream("GET", file.address, headers=headers) as answer:
        if answer.status_code == 416:  # it has no more bytes, or other ones
            file.partial.unlink(missing_ok=True)
            raise Passing(answer.status_code, 0)
        refuse(answer)
        goes_on = answer.status_code == 206 and _begins_at(answer, begin)
        if begin and not goes_on:
            report("fetching", -begin)
        if not goes_on:
            file.mark.write_text(answer.headers.get("ETag", ""))
        with file.partial.open("ab" if goes_on else "wb") as partial:
            for chunk in answer.iter_raw():
                partial.write(chunk)
                report("fetching", len(chunk))
            partial.flush()
            os.fsync(partial.fileno())
    if file.size is not None and _size(file.partial) < file.size:
        raise Passing(200, 0)  # cut off without an error


def _continuing(file: RemoteFile, begin: int) -> dict[str, str]:
    """The headers that ask for the rest; without a hash only if the file is still the same as before."""
    if not begin:
        return {}
    mark = file.mark.read_text() if not file.digest and file.mark.exists() else ""
    if not file.digest and (not mark or mark.startswith("W/")):
        return {}
    return {"Range": f"bytes={begin}-", **({"If-Range": mark} if mark else {})}


def _begins_at(answer: httpx2.Response, begin: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {begin}-")


def refuse(answer: httpx2.Response) -> None:
    """Raise Passing or Refused, with a sentence, for an answer without the file."""
    status, host = answer.status_code, answer.request.url.host
    if status in PASSING:
        raise Passing(status, _seconds(answer.headers.get("Retry-After", "")))
    if answer.headers.get("X-Error-Code") == "GatedRepo":
        raise gated("/".join(answer.request.url.path.strip("/").split("/")[:2]))
    if status >= 300:
        raise Refused(sentence_of(status, host))
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        raise Refused(
            _("%(host)s sends a page instead of a file: use the address of the file itself; some hosts need a token.")
            % {"host": host}
        )


def gated(name: str) -> GatedModel:
    return GatedModel(
        _(
            "%(name)s is gated: accept its terms at %(address)s with your account, enter that account's token on the "
            "account page, then continue."
        )
        % {"name": name, "address": f"{settings.HF_ENDPOINT}/{name}"}
    )


def sentence_of(status: int, host: str) -> str:
    """What a status means, and what to do."""
    sentences = {
        401: _("%(host)s needs an account: keep a token for this host below, then continue."),
        403: _("%(host)s does not allow this account to have the file: accept its terms on its page, then continue."),
        404: _("%(host)s has no file at this address: check it."),
        410: _("%(host)s does not have this file any more: choose another."),
        429: _("%(host)s allows no more requests for now: continue in some minutes."),
        451: _("%(host)s may not send this file to this country: choose another."),
    }
    failed = _("%(host)s failed (status %(status)s): continue later.")
    other = failed if status >= 500 else _("%(host)s refuses the file (status %(status)s): check the address.")
    return sentences.get(status, other) % {"host": host, "status": status}


def _seconds(text: str) -> float:
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else 0.0


def _gave_up(file: RemoteFile, error: Exception) -> DomainError:
    host = httpx2.URL(file.address).host
    if isinstance(error, Passing) and error.status >= 400:
        return Refused(sentence_of(error.status, host))
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return unreachable(host)
    return Unreachable(
        _("The connection to %(host)s breaks off again and again: check the network, then continue.") % {"host": host}
    )


def unreachable(host: str) -> Unreachable:
    return Unreachable(_("%(host)s cannot be reached: check this machine's network, then continue.") % {"host": host})


def _check(file: RemoteFile, report: Report) -> None:
    """Compare size and hash; a wrong file is removed, since it cannot be continued."""
    size = _size(file.partial)
    wrong = file.size is not None and size != file.size
    if wrong or (file.digest and digest_of(file.partial, len(file.digest), report) != file.digest.lower()):
        file.partial.unlink()
        raise WrongHash(
            _("%(name)s is damaged: its host announces another hash. It was removed: fetch it again.")
            % {"name": file.target.name}
        )


def digest_of(path: Path, letters: int, report: Report) -> str:
    """The SHA-256 of a file, or git's hash of it, by the number of letters."""
    digest = hashlib.sha256() if letters == SHA256_LETTERS else hashlib.sha1(usedforsecurity=False)
    if letters == GIT_LETTERS:
        digest.update(f"blob {_size(path)}\0".encode())
    with path.open("rb") as content:
        while piece := content.read(CHUNK * 4):
            digest.update(piece)
            report("checking", len(piece))
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
