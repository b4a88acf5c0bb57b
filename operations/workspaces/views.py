"""The page that imports OneTrainer workspaces."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from operations.workspaces.ask import ask_for_import, end_following
from system.models import Job, Worker
from training.models import Run
from web.errors import BadInput, NotNow
from web.pages import Context, PageRequest, page, render_page, trainers

SHOWN = 20


@page("GET", "POST", only=trainers)
def import_workspace(request: PageRequest) -> HttpResponse:
    """Show the imports, or request an import by a worker."""
    if request.method != "POST":
        return _show(request, {"follow": True})
    given = {"path": request.POST.get("path", "").strip(), "name": request.POST.get("name", "").strip()}
    follow = request.POST.get("follow") == "on"
    try:
        ask_for_import(given["path"], request.user, given["name"], follow)
    except BadInput as problem:
        return _show(request, {**given, "follow": follow, "error": str(problem)}, status=400)
    messages.success(request, _("A worker imports the workspace; its runs appear here and in the list of runs."))
    return redirect("import-workspace")


@page("POST", only=trainers)
def stop_following(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Stop following a training outside this site; the training itself continues."""
    try:
        end_following(get_object_or_404(Run, pk=pk))
        messages.success(request, _("The run is no longer followed; the training itself continues."))
    except NotNow as problem:
        messages.error(request, str(problem))
    return redirect("run", pk)


def _show(request: PageRequest, given: Context, status: int = 200) -> HttpResponse:
    jobs = list(Job.objects.filter(kind=Job.Kind.IMPORT).select_related("user")[:SHOWN])
    context = {
        "given": given,
        "imports": [(job, _runs(job)) for job in jobs],
        "is_open": any(job.is_open for job in jobs),
        "has_worker": Worker.objects.alive().exists(),
    }
    return render_page(
        request, "operations/workspaces/import.html", "operations/workspaces/_imports.html", context, status
    )


def _runs(job: Job) -> list[Run]:
    """The runs that still exist, oldest first."""
    return list(Run.objects.filter(pk__in=job.result.get("runs", [])).order_by("created_at"))
