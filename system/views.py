"""The dashboard and the system page: what trains now, and what the machines do."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from system.resources import host_info
from web.pages import PageRequest, page


@page("GET")
def resources(request: PageRequest) -> HttpResponse:
    """The meters, which pages ask for every few seconds."""
    return render(request, "system/_resources.html", {"host": host_info()})
