"""Actions on many runs at once: first a preview with numbers, then the action."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from training.models import Artifact, Run
from training.runs.bulk import BULK, MOST_COMPARED, Bulk, carry_out, parted
from training.runs.deletions import MANY, ask_for_deletion
from training.table import query as run_table
from training.table.views import csv_of
from web.ids import as_uuid
from web.pages import Context, PageRequest, page, trainers

NAMES_SHOWN = 10
PROBLEMS_SHOWN = 5


@page("POST")
def bulk(request: PageRequest) -> HttpResponse:
    """A button under the table: the action, and the selected runs or all runs that match the filters."""
    verb = request.POST.get("do", "")
    chosen = _chosen(request)
    if not chosen.exists():
        messages.error(request, _("No run is selected: select runs in the table first."))
        return redirect(_table(request))
    if verb == "export":
        return csv_of(chosen)
    if verb == "compare":
        return _compare(request, chosen)
    if verb not in BULK:
        raise Http404(_("This action does not exist: reload the page."))
    return _change(request, BULK[verb], chosen)


def _chosen(request: PageRequest) -> Any:
    """The chosen runs, without long fields."""
    query = run_table.read(request.POST.get("query", ""))
    if request.POST.get("all"):
        return run_table.asked_for(query, request.user)
    asked = Run.objects.filter(pk__in=[pk for text in request.POST.getlist("run") if (pk := as_uuid(text))])
    return asked.alias(taken=run_table.TAKEN).with_favourites_of(request.user).order_by(*run_table.order(query))


def _table(request: HttpRequest) -> str:
    return f"/runs/?{run_table.read(request.POST.get('query', '')).urlencode()}"


def _compare(request: PageRequest, chosen: Any) -> HttpResponse:
    ids = [str(pk) for pk in chosen.values_list("pk", flat=True)[: MOST_COMPARED + 1]]
    if not 2 <= len(ids) <= MOST_COMPARED:
        messages.error(request, _("Choose from two to %(number)d runs to compare.") % {"number": MOST_COMPARED})
        return redirect(_table(request))
    return redirect(f"{reverse('compare')}?runs={','.join(ids)}")


def _change(request: PageRequest, verb: Bulk, chosen: Any) -> HttpResponse:
    """Ask for confirmation, then do it. If more runs match since then, ask again."""
    trainers(request.user)
    runs = list(chosen.defer("config", "traceback", "memory_estimate"))
    tag = request.POST.get("tag", "").replace("\x00", "").replace(",", " ").strip()[:50]
    fits, others = parted(verb, runs, tag)
    if request.POST.get("sure") != str(len(runs)) or (verb.needs_tag and not tag):
        return render(request, "training/table/runs_bulk.html", _question(request, verb, fits, others))
    if verb.verb == "delete" and len(fits) >= MANY:
        ask_for_deletion(fits, request.user)
        return redirect(_table(request))  # the page shows its progress
    outcome = carry_out(verb, fits, request.user, tag)
    if outcome.done or not outcome.problems:
        messages.success(request, verb.done % outcome.done)
    for problem in outcome.problems[:PROBLEMS_SHOWN]:
        messages.error(request, problem)
    more = len(outcome.problems) - PROBLEMS_SHOWN
    if more > 0:
        text = ngettext("%d more runs could not be changed.", "%d more runs could not be changed.", more)
        messages.error(request, text % more)
    return redirect(_table(request))


def _question(request: PageRequest, verb: Bulk, fits: list[Run], others: list[Run]) -> Context:
    return {
        "verb": verb,
        "promise": verb.promise % len(fits),
        "rest": verb.rest % len(others) if others and verb.rest else "",
        "fits": fits,
        "names": fits[:NAMES_SHOWN],
        "more": max(0, len(fits) - NAMES_SHOWN),
        "count": len(fits) + len(others),
        "size": _size(fits) if verb.verb == "delete" else None,
        "ids": [] if request.POST.get("all") else [run.pk for run in (*fits, *others)],
        "query": run_table.read(request.POST.get("query", "")).urlencode(),
        "back": _table(request),
        "tags": run_table.choices()["tags"] if verb.needs_tag else [],
    }


def _size(runs: list[Run]) -> int:
    """Bytes of the backups and models that are deleted with the runs."""
    kept = Artifact.objects.filter(run__in=[run.pk for run in runs], deleted_at=None)
    return kept.aggregate(total=Sum("size"))["total"] or 0
