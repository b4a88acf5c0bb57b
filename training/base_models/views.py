"""The page of base models: the catalogue, the fetches, and the models on the disk."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from presets.base_models import requests
from presets.models import ModelFetch
from system.account import secrets
from system.models import Worker
from training.base_models.removal import remove
from training.base_models.shelf import delete_model, shelves
from training.wizard.machine_facts import devices
from web.errors import BadInput, NotNow
from web.pages import Context, PageRequest, errors_as_messages, page, render_page, trainers


@page("GET")
def base_models(request: PageRequest) -> HttpResponse:
    """The catalogue by family; with a name in the address, that name is ready to be fetched."""
    return _show(request, {"source": request.GET.get("source", "")[:2000]})


@page("POST", only=trainers)
def fetch(request: PageRequest) -> HttpResponse:
    """Queue a fetch by a name or an address."""
    given = {name: request.POST.get(name, "").strip() for name in ("source", "sha256", "host")}
    try:
        row = requests.request_fetch(given["source"], request.user, given["sha256"], given["host"])
    except (BadInput, NotNow) as problem:
        errors = getattr(problem, "errors", {})
        field = next(iter(errors), "source")
        return _show(request, {**given, "error": str(problem), "wrong": field}, status=problem.status)
    messages.success(request, _("%(source)s is fetched as soon as a worker is free.") % {"source": shown(row)})
    return redirect("base-models")


@page("POST", only=trainers)
def change_fetch(request: PageRequest, pk: UUID | str, verb: str) -> HttpResponse:
    """Cancel a fetch, continue it, or remove it from the list with what it left."""
    row = get_object_or_404(ModelFetch.objects.get_queryset(), pk=pk)
    with errors_as_messages(request):
        if verb == "cancel":
            requests.cancel(row)
        elif verb == "continue":
            requests.continue_fetch(row, request.user)
        elif verb == "remove":
            remove(row)
        else:
            raise BadInput(_("This action does not exist: reload the page."))
    return redirect("base-models")


@page("POST", only=trainers)
def delete(request: PageRequest) -> HttpResponse:
    """Delete a model from the disk."""
    with errors_as_messages(request):
        model = delete_model(request.POST.get("name", ""))
        messages.success(request, _("%(title)s was deleted.") % {"title": model.title})
    return redirect("base-models")


@page("POST", only=trainers)
def keep_token(request: PageRequest) -> HttpResponse:
    """Keep the user's token for a host, or remove it."""
    host = request.POST.get("host", "").strip().lower()
    name = secrets.name_for(host)
    with errors_as_messages(request):
        if "remove" in request.POST:
            secrets.remove_secret(request.user, name)
            messages.success(request, _("The token for %(host)s was removed.") % {"host": host[:60]})
        else:
            secrets.set_secret(request.user, name, request.POST.get("value", "").strip())
            messages.success(
                request, _("The token for %(host)s was saved; it is sent to no other host.") % {"host": host}
            )
    return redirect("base-models")


def shown(row: ModelFetch) -> str:
    """The name or the address without its query, which may hold a signature."""
    return row.source.partition("?")[0]


def _show(request: PageRequest, given: Context, status: int = 200) -> HttpResponse:
    fetches = requests.recent()
    context = {
        "given": given,
        "fetches": fetches,
        "shelves": (families := shelves(fetches)),
        "folded": sum(not shelf.is_used_here for shelf in families),
        "machines": requests.machines(),
        "devices": devices(),
        "hosts": secrets.hosts_of(request.user),
        "has_worker": Worker.objects.alive().exists(),
    }
    return render_page(request, "training/base_models/page.html", "training/base_models/_page.html", context, status)
