"""Downloads of backups and models, which the audit log records."""

from __future__ import annotations

from pathlib import Path

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from engine.paths.weights import is_model
from system.audit import record
from training.models import Artifact
from web.errors import NotFound
from web.packing import send_folder
from web.serving import send_file


def send_artifact(request: HttpRequest, artifact: Artifact) -> HttpResponseBase:
    """A backup or a model: a file as it is, also in ranges, and a folder as a zip file. Raises NotFound."""
    if artifact.deleted_at is not None:
        raise NotFound(_("This file was deleted, by the retention policy or by a user: choose a newer one."))
    path = Path(artifact.path)
    if artifact.kind == Artifact.Kind.MODEL and artifact.run.source and not is_model(path):
        raise NotFound(_("This file is no model any more: import its workspace again."))
    answer = send_folder(request, path) if path.is_dir() else send_file(request, path, as_attachment=True)
    if request.method == "GET" and answer.status_code in (200, 206) and not _is_later_part(answer):
        facts = {"run": str(artifact.run_id), "kind": artifact.kind, "file": path.name, "bytes": artifact.size}
        record("artifact.downloaded", request=request, thing=artifact, after=facts)
    return answer


def _is_later_part(answer: HttpResponseBase) -> bool:
    """A program that resumes or splits a download requests its later parts one by one."""
    return not answer.headers.get("Content-Range", "bytes 0-").startswith("bytes 0-")
