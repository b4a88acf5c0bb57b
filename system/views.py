"""The meters of the dashboard and the system page."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from system.resources import host_info
from web.pages import PageRequest, page


@page("GET")
def resources(request: PageRequest) -> HttpResponse:
    """The meters, which pages request every few seconds."""
    return render(request, "system/_resources.html", {"host": host_info()})
