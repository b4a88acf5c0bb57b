"""The table of runs: filtering, sorting, saved views, editing in place, and download as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from training.models import Run
from training.runs.bulk import BULK, MOST_COMPARED
from training.runs.deletions import deletions
from training.runs.notes import RunNotes
from training.table import csv as run_csv
from training.table import query as run_table
from training.table import saved_views
from web.pages import Context, PageRequest, errors_as_messages, page, render_page, trainers

RUNS_ON_A_PAGE = 50
LABELS = {
    "q": gettext_lazy("Search"),
    "preset": gettext_lazy("Preset"),
    "model": gettext_lazy("Model"),
    "method": gettext_lazy("Method"),
    "tag": gettext_lazy("Tag"),
    "person": gettext_lazy("Person"),
    "from": gettext_lazy("From"),
    "to": gettext_lazy("To"),
}
MOST_TAGS = 50


@page("GET")
def runs(request: PageRequest) -> HttpResponse:
    """All runs, or the runs that match the address."""
    query = run_table.read(request.META["QUERY_STRING"])
    counts, page = _page(request, query)
    context = {
        "page": page,
        "query": query,
        "state": query.urlencode(),
        "query_statuses": query.getlist("status"),
        "favourites_address": f"?{run_table.state(query, favourite=None if query.get('favourite') else '1')}",
        "columns": [_head(column, query) for column in run_table.COLUMNS],
        "tabs": _tabs(query, counts, run_table.statuses(query)),
        "views": _views(request, query),
        "bulk": BULK,
        "most_compared": MOST_COMPARED,
        "deletions": deletions(request.user),
        **run_table.choices(),
    }
    context["chips"] = list(_chips(query, context))
    return render_page(request, "training/table/runs.html", "training/table/_runs.html", context)


def _page(request: PageRequest, query: QueryDict) -> tuple[dict[str, int], Page]:
    """The number of runs of each status, and the page in the address."""
    number = request.GET.get("page")
    if query.get("q"):
        counts, ids = run_table.searched(query, request.user)
        page: Page[Any] = Paginator(ids, RUNS_ON_A_PAGE).get_page(number)
        page.object_list = run_table.rows_of(list(page.object_list), request.user)
        return counts, page
    counts, wanted = run_table.counts(query, request.user), run_table.statuses(query)
    pages = Paginator(run_table.rows(query, request.user), RUNS_ON_A_PAGE)
    pages.count = sum(
        count for status, count in counts.items() if not wanted or status in wanted
    )  # the number is already counted
    return counts, pages.get_page(number)


def _head(column: run_table.Column, query: QueryDict) -> Context:
    """A column's head: its sort direction, and the address that sorts by it or reverses the order."""
    present = query.get("sort") or run_table.NEWEST
    is_up, is_down = present == column.key, present == f"-{column.key}"
    turned = f"-{column.key}" if is_up or (column.key == "date" and not is_down) else column.key
    sort = "ascending" if is_up else "descending" if is_down else ""
    return {"column": column, "sort": sort, "address": f"?{run_table.state(query, sort=turned)}"}


def _tabs(query: QueryDict, counts: dict[str, int], wanted: set[str]) -> list[Context]:
    """The existing statuses with their numbers of runs, as links that filter by them."""
    active = [str(status) for status in Run.ACTIVE]
    groups: list[tuple[str | None, Any, list[str]]] = [(None, _("All"), list(counts))]
    groups += [("active", _("training now"), active)]
    groups += [(value, label, [value]) for value, label in Run.Status.choices if value not in active]
    tabs = []
    for value, label, members in groups:
        count = sum(counts.get(member, 0) for member in members)
        chosen = wanted == set(members) if value else not wanted
        if count or chosen or value is None:
            address = f"?{run_table.state(query, status=value)}"
            tabs.append({"label": label, "count": count, "chosen": chosen, "address": address})
    return tabs


def _views(request: PageRequest, query: QueryDict) -> list[Context]:
    present = query.urlencode()
    return [{"view": view, "chosen": view.query == present} for view in request.user.saved_views.all()]


def _chips(query: QueryDict, choices: Context) -> Iterator[Context]:
    """Each active filter except statuses and favourites, with the address that removes it."""
    presets = {str(preset.pk): preset.name for preset in choices["presets"]}
    shown = {"preset": presets, "model": dict(choices["models"]), "method": dict(choices["methods"])}
    for name, label in LABELS.items():
        if value := query.get(name):
            address = f"?{run_table.state(query, **{name: None})}"
            yield {"label": label, "value": shown.get(name, {}).get(value, value), "address": address}


@page("GET", "POST", only=trainers)
def edit(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Name and tags of a run, in its row of the table, or on a separate page without scripts."""
    run = _row(request, pk)
    if request.method != "POST":
        part = "training/table/_run_row.html" if "row" in request.GET else "training/table/_run_row_edit.html"
        return render_page(request, "training/run/run_edit.html", part, {"run": run, "back": _back(request)})
    changes = {"name": request.POST.get("name", "").strip()[:200], "tags": _tags(request.POST.get("tags", ""))}
    if not changes["name"]:
        context = {"run": run, "back": _back(request), "problem": _("Enter a name.")}
        return render_page(
            request, "training/run/run_edit.html", "training/table/_run_row_edit.html", context, status=400
        )
    RunNotes(request.user).edit_run(Run.objects.get(pk=pk), changes)
    if request.htmx:
        return render(request, "training/table/_run_row.html", {"run": _row(request, pk)})
    return redirect(_back(request))


def _row(request: PageRequest, pk: UUID | str) -> Run:
    """A run as the table shows it."""
    return get_object_or_404(run_table.rows(run_table.read(""), request.user), pk=pk)


def _tags(text: str) -> list[str]:
    """The comma-separated items, each once."""
    return list(dict.fromkeys(tag.strip()[:50] for tag in text.split(",") if tag.strip()))[:MOST_TAGS]


@page("POST", only=trainers)
def favourite(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """Mark a run as a favourite, or remove the mark."""
    wanted = request.POST.get("favourite") == "true"
    RunNotes(request.user).edit_run(get_object_or_404(Run, pk=pk), {"favourite": wanted})
    if request.htmx:
        return render(request, "training/run/_favourite.html", {"run": _row(request, pk)})
    return redirect(_back(request))


def _back(request: PageRequest) -> str:
    """The table that the user came from."""
    address = request.POST.get("next") or request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return address if safe else "/runs/"


@page("POST")
def save_view(request: PageRequest) -> HttpResponse:
    """Save the table's filters and order under a name, replacing a view of that name."""
    query = request.POST.get("query", "")
    with errors_as_messages(request):
        view = saved_views.keep(request.user, request.POST.get("name", ""), query, replace=True)
        messages.success(request, _("The view “%(name)s” was saved.") % {"name": view.name})
    return redirect(f"/runs/?{run_table.read(query).urlencode()}")


@page("POST")
def delete_view(request: PageRequest, pk: int) -> HttpResponse:
    view = get_object_or_404(request.user.saved_views, pk=pk)
    view.delete()
    messages.success(request, _("The view “%(name)s” was deleted.") % {"name": view.name})
    return redirect("runs")


@page("GET")
def export(request: PageRequest) -> HttpResponse:
    """The runs that match the address, as CSV."""
    found = run_table.asked_for(run_table.read(request.META["QUERY_STRING"]), request.user)
    return csv_of(found)


def csv_of(found: Any) -> HttpResponse:
    disposition = f'attachment; filename="runs-{localdate():%Y-%m-%d}.csv"'
    headers = {"Content-Disposition": disposition}
    return HttpResponse(run_csv.lines(found), content_type="text/csv; charset=utf-8", headers=headers)
