"""A run's files: the tab that lists them, and their downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404

from training.models import Artifact, Run
from training.pages.run import log_of_attempt, run_of, show_tab
from training.runs.actions import with_ways_on
from training.runs.downloads import send_artifact
from web.errors import NotFound
from web.pages import Context, PageRequest, page
from web.serving import send_file


@page("GET")
def files(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Backups, models, samples, logs and settings, with their downloads."""
    run = run_of(pk)
    context = {"artifacts": with_ways_on(run), "logs": _logs(run), "sample_count": run.samples.count()}
    return show_tab(request, run, "run-files", context)


def _logs(run: Run) -> list[Context]:
    """The logs of all attempts that are on this machine, newest first."""
    paths = {number: run.folder / "attempts" / str(number) / run.log_file.name for number in range(run.attempt, 0, -1)}
    return [{"attempt": number, "size": path.stat().st_size} for number, path in paths.items() if path.is_file()]


@page("GET")
def artifact(request: HttpRequest, pk: UUID | str, artifact_pk: Any) -> HttpResponseBase:
    """A backup or a model: a file as it is, a folder as a zip file."""
    found = get_object_or_404(Artifact, pk=artifact_pk, run_id=pk)
    return _sent(send_artifact, request, found)


@page("GET")
def log_file(request: PageRequest, pk: UUID | str) -> HttpResponseBase:
    """The complete log of an attempt."""
    _, path = log_of_attempt(request, get_object_or_404(Run, pk=pk))
    return _sent(_send_attachment, request, path)


def _send_attachment(request: HttpRequest, path: Path) -> HttpResponseBase:
    return send_file(request, path, as_attachment=True)


def _sent(send: Any, request: HttpRequest, what: Any) -> HttpResponseBase:
    try:
        return send(request, what)
    except NotFound as problem:
        raise Http404(str(problem)) from problem
