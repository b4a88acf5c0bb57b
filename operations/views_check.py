"""The check of OneTrainer on the system page: asked for by a button, done by a worker."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from operations.onetrainer_check import ask_for_check
from system.models import Job
from web.pages import PageRequest, page, trainers


def newest_check() -> dict[str, Any]:
    """What the page shows of the newest check."""
    return {
        "check": Job.objects.filter(kind=Job.Kind.CHECK).select_related("user").first(),
        "onetrainer_home": settings.ONETRAINER_HOME,
    }


@page("GET")
def onetrainer(request: PageRequest) -> HttpResponse:
    """The newest check, for the page that asks while one goes on."""
    return render(request, "operations/_onetrainer.html", newest_check())


@page("POST", only=trainers)
def check_onetrainer(request: PageRequest) -> HttpResponse:
    """Have it checked."""
    ask_for_check(request.user, training=request.POST.get("training") == "on")
    messages.success(request, _("OneTrainer is checked as soon as a worker takes it on."))
    return redirect("system")
