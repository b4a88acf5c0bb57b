"""Editing on a run's page: its name, tags and notes, and pinning or deleting its files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from training.api.serializers import RunChangeSerializer
from training.models import Artifact, Run
from training.runs.notes import RunNotes
from training.runs.removal import pin, remove_by_hand
from web.pages import Context, PageRequest, errors_as_messages, page, trainers


@page("POST", only=trainers)
def about(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Save the edited fields of the run."""
    run = get_object_or_404(Run, pk=pk)
    tags = dict.fromkeys(tag.strip() for tag in request.POST.get("tags", "").split(",") if tag.strip())
    notes = request.POST.get("notes", "").replace("\r\n", "\n").strip()
    change = RunChangeSerializer(data={"name": request.POST.get("name", ""), "tags": list(tags), "notes": notes})
    if not change.is_valid():
        field, problems = next(iter(change.errors.items()))
        messages.error(request, f"{field}: {_first(problems)}")
        return redirect(run)
    RunNotes(request.user).edit_run(run, _differences(run, change.validated_data))
    messages.success(request, _("The run was saved."))
    return redirect(f"{reverse('run', args=[pk])}#about")


def _first(problems: Any) -> str:
    """The first sentence in a serializer's errors, at any depth."""
    while not isinstance(problems, str):
        problems = next(iter(problems.values() if isinstance(problems, dict) else problems))
    return problems


def _differences(run: Run, written: Context) -> Context:
    return {field: value for field, value in written.items() if getattr(run, field) != value}


@page("POST", only=trainers)
def artifact_action(request: PageRequest, pk: UUID | str, artifact_pk: Any, verb: str) -> HttpResponse:
    """Pin a file, or delete it."""
    artifact = get_object_or_404(Artifact.objects.select_related("run"), pk=artifact_pk, run_id=pk)
    with errors_as_messages(request):
        if verb == "pin":
            pin(artifact, request.POST.get("pinned") == "true", by=request.user)
        elif verb == "delete":
            remove_by_hand(artifact, by=request.user)
            messages.success(request, _("The file was deleted."))
        else:
            raise Http404(_("This action does not exist: reload the page."))
    return redirect("run-files", pk)
