"""The list of runs, the strip of what trains now, and the buttons of all pages that show a run."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import Case, F, FloatField, Q, QuerySet, When
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from onetrainer_site.pages import PageRequest, page_of, render_page, trainers_only
from presets.errors import BadInput, DomainError
from presets.models import Preset
from training.actions import ACTIONS
from training.models import Run
from training.service import TrainerService

RUNS_ON_A_PAGE = 25
ORDERS: dict[str, tuple[str, list[Any]]] = {
    "newest": ("Newest first", ["-created_at"]),
    "oldest": ("Oldest first", ["created_at"]),
    "name": ("Name", ["name", "-created_at"]),
    "loss": ("Lowest loss", [F("smooth_loss").asc(nulls_last=True)]),
    "progress": ("Furthest", ["-done"]),
}


@require_safe
@login_required
def now_training(request: PageRequest) -> HttpResponse:
    """The strip at the top of every page."""
    return render(request, "training/now_training.html")


@require_safe
@login_required
def runs(request: PageRequest) -> HttpResponse:
    """All runs: searched, filtered, in the wished order."""
    rows = _filtered(request).select_related("owner", "preset").order_by(*_order(request))
    context = {
        "page": page_of(request, rows, RUNS_ON_A_PAGE),
        "query": request.GET,
        "statuses": Run.Status.choices,
        "orders": [(key, label) for key, (label, _) in ORDERS.items()],
        "owners": User.objects.filter(runs__isnull=False).distinct().order_by("username"),
        "presets": Preset.objects.filter(runs__isnull=False).distinct(),
        "filtered": any(request.GET.get(name) for name in ("q", "status", "owner", "preset")),
    }
    return render_page(request, "training/runs.html", "training/_runs.html", context)


def _filtered(request: PageRequest) -> QuerySet[Run]:
    done = Case(
        When(max_step__gt=0, max_epoch__gt=0, then=F("global_step") * 1.0 / (F("max_step") * F("max_epoch"))),
        default=0.0,
        output_field=FloatField(),
    )
    rows = Run.objects.annotate(done=done)
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(Q(name__icontains=text) | Q(notes__icontains=text) | Q(tags__icontains=text))
    if (status := request.GET.get("status")) == "active":
        rows = rows.filter(status__in=Run.ACTIVE)
    elif status in Run.Status.values:
        rows = rows.filter(status=status)
    for field in ("owner", "preset"):
        if (chosen := request.GET.get(field, "")).isdecimal():
            rows = rows.filter(**{field: int(chosen)})
    return rows


def _order(request: PageRequest) -> list[Any]:
    return ORDERS.get(request.GET.get("order", ""), ORDERS["newest"])[1]


@require_POST
@login_required
@trainers_only
def run_action(request: PageRequest, pk: Any, verb: str) -> HttpResponse:
    """Do what a button says. Its news are a message: on the page that was shown, or for htmx just that."""
    run = get_object_or_404(Run, pk=pk)
    action = ACTIONS.get(verb)
    if action is None:
        raise Http404("There is no such action.")
    status, new = 200, None
    try:
        new = action.do(TrainerService(request.user), run, request.POST)
        messages.success(request, action.done)
    except DomainError as problem:
        status = 400 if isinstance(problem, BadInput) else 409
        messages.error(request, str(problem))
    if request.htmx and not action.leads_away:
        response = render(request, "_messages.html", status=status)
        return _with_refresh(response)
    return redirect(new.get_absolute_url() if action.leads_away and new else _back(request, run))


def _with_refresh(response: HttpResponse) -> HttpResponse:
    """Tell the page that what it shows has changed."""
    response["HX-Trigger"] = "live-refresh"
    return response


def _back(request: PageRequest, run: Run) -> str:
    """The page that the button was on."""
    address = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return address if safe else run.get_absolute_url()
