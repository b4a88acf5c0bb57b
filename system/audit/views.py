"""The page of the audit log, for admins."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from system.audit.models import AuditEntry
from system.audit.search import FILTERS, find
from system.audit.verifying import verify
from web.errors import BadInput
from web.pages import PageRequest, admins, page, page_of

ROWS = 50


@page("GET", only=admins)
def audit(request: PageRequest) -> HttpResponse:
    """The entries that fit the filters; with `verify`, also whether the chain is whole."""
    problem = ""
    try:
        rows = find(request.GET.dict())
    except BadInput as error:
        rows, problem = AuditEntry.objects.none(), str(error)
    context = {
        "page": page_of(request, rows, ROWS),
        "query": {name: request.GET.get(name, "") for name in FILTERS},
        "is_filtered": any(request.GET.get(name) for name in FILTERS),
        "verdict": verify() if "verify" in request.GET else None,
        "problem": problem,
    }
    return render(request, "system/audit/audit.html", context, status=400 if problem else 200)
