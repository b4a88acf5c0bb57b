"""The check of OneTrainer on the system page: a button requests it, and a worker does it."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from operations.onetrainer_check import ask_for_check
from system.models import Job
from web.pages import Context, PageRequest, page, trainers


def newest_check() -> Context:
    """The newest check as the page shows it."""
    return {
        "check": Job.objects.filter(kind=Job.Kind.CHECK).select_related("user").first(),
        "onetrainer_home": settings.ONETRAINER_HOME,
    }


@page("GET")
def onetrainer(request: PageRequest) -> HttpResponse:
    """The newest check, for a page that polls while a check is in progress."""
    return render(request, "operations/_onetrainer.html", newest_check())


@page("POST", only=trainers)
def check_onetrainer(request: PageRequest) -> HttpResponse:
    """Request a check."""
    ask_for_check(request.user, training=request.POST.get("training") == "on")
    messages.success(request, _("A worker checks OneTrainer as soon as it is free."))
    return redirect("system")
