"""The doctor's page: an admin requests an examination, a worker makes it, and the admin reads or downloads it."""

from __future__ import annotations

from itertools import groupby

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from operations.doctor.ask import ask_for_examination
from system.models import Job, Worker
from web.pages import Context, PageRequest, admins, page, render_page


@page("GET", only=admins)
def doctor(request: PageRequest) -> HttpResponse:
    """The newest examination, problems first."""
    return render_page(request, "operations/doctor/doctor.html", "operations/doctor/_doctor.html", _newest())


@page("POST", only=admins)
def examine_site(request: PageRequest) -> HttpResponse:
    """Request an examination, with repairs if they were chosen."""
    ask_for_examination(request.user, mend=request.POST.get("mend") == "on")
    messages.success(request, _("A worker examines the site as soon as it is free."))
    return redirect("doctor")


@page("GET", only=admins)
def report(request: PageRequest) -> HttpResponse:
    """The newest report as a text, for a bug report."""
    newest = _jobs().filter(status=Job.Status.DONE).first()
    if newest is None:
        raise Http404(_("The site has not been examined yet."))
    response = HttpResponse(newest.result["text"], content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="doctor-{newest.ended_at:%Y-%m-%d_%H-%M}.txt"'
    return response


def _jobs() -> QuerySet[Job]:
    return Job.objects.filter(kind=Job.Kind.DOCTOR).select_related("user")


def _newest() -> Context:
    job = _jobs().first()
    findings = job.result.get("findings", []) if job else []
    return {
        "job": job,
        "found": [one for one in findings if one["level"] not in ("fine", "note")],
        "subjects": [(title, list(group)) for title, group in groupby(findings, lambda one: one["subject"])],
        "can_be_mended": any(one["can_be_mended"] for one in findings),
        "workers_alive": Worker.objects.alive().exists(),
    }
