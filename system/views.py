"""The dashboard and the system page: what trains now, and what the machines do."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from system.resources import host_info
from web.pages import PageRequest


@require_safe
@login_required
def resources(request: PageRequest) -> HttpResponse:
    """The meters, which pages ask for every few seconds."""
    return render(request, "system/_resources.html", {"host": host_info()})
