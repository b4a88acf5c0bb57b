"""The queue's page: the workers, the waiting runs, and moving, holding and planning them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import get_current_timezone_name, is_naive, make_aware
from django.utils.translation import gettext as _

from training.models import Run
from training.queue.board import MOST_SHOWN, read_queue
from training.queue.service import LEAST_PRIORITY, MOST_PRIORITY, QueueService
from web.errors import BadInput, DomainError
from web.pages import Context, PageRequest, page, render_page, trainers

WAYS = ("up", "down", "first", "last")
HELD = ("hold", "release")


@page("GET")
def queue(request: PageRequest) -> HttpResponse:
    return render_page(request, "training/queue/queue.html", "training/queue/_queue.html", {"queue": read_queue()})


@page("POST", only=trainers)
def change(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """A button of a run's row, or the place that it was dragged to."""
    run = get_object_or_404(Run, pk=pk)
    status = 200
    try:
        _do(QueueService(request.user), run, request)
    except DomainError as problem:
        status = problem.status
        messages.error(request, str(problem))
    if request.htmx:
        return render(request, "training/queue/_queue.html", {"queue": read_queue(), "news": True}, status=status)
    return redirect("queue")


def _do(service: QueueService, run: Run, request: HttpRequest) -> None:
    verb = request.POST.get("do", "")
    if verb in WAYS:
        _report_priority(request, run, service.move_by(run, verb))
    elif verb in HELD:
        service.plan_run(run, {"held": verb == "hold"})
    elif verb == "cancel":
        service.cancel(run)
        messages.success(request, _("“%(name)s” was removed from the queue.") % {"name": run.name})
    elif verb == "before":
        before = request.POST.get("before")
        _report_priority(request, run, service.move_in_queue(run, _other(before) if before else None))
    else:
        raise BadInput(_("This action does not exist: reload the page."))


def _report_priority(request: HttpRequest, run: Run, priority: int | None) -> None:
    """Runs start in the order of their priority, so that a move among runs of another priority changes it."""
    if priority is not None:
        sentence = _("“%(name)s” now has priority %(priority)d, like the runs beside it.")
        messages.info(request, sentence % {"name": run.name, "priority": priority})


def _other(pk: str) -> Run:
    try:
        return Run.objects.get(pk=pk)
    except (Run.DoesNotExist, ValidationError) as error:
        raise BadInput(_("The other run no longer exists: reload the queue.")) from error


@page("GET", "POST", only=trainers)
def plan(request: PageRequest, pk: UUID | str) -> HttpResponse:
    """The plan of a run: its priority, its earliest start, and the run that it waits for."""
    run = get_object_or_404(Run.objects.select_related("held_by", "after_run", "owner", "preset"), pk=pk)
    problem, status = "", 200
    if request.method == "POST":
        try:
            QueueService(request.user).plan_run(run, _plan(request))
            messages.success(request, _("The plan of “%(name)s” was saved.") % {"name": run.name})
            return redirect("queue")
        except DomainError as error:
            problem, status = str(error), error.status
    others = Run.objects.filter(status__in=(Run.Status.QUEUED, *Run.ACTIVE)).exclude(pk=run.pk)
    context = {
        "run": run,
        "typed": request.POST,
        "others": others.only("pk", "name", "status").order_by("name")[:MOST_SHOWN],
        "ends": Run.AfterEnd.choices,
        "zone": get_current_timezone_name(),
        "problem": problem,
        "least": LEAST_PRIORITY,
        "most": MOST_PRIORITY,
    }
    return render(request, "training/queue/queue_plan.html", context, status=status)


def _plan(request: HttpRequest) -> Context:
    data = request.POST
    plan: Context = {"start_after": _moment(data.get("start_after", "")), "after_run": None}
    if chosen := data.get("after_run", ""):
        plan["after_run"] = _other(chosen)
    if (end := data.get("after_end", "")) in Run.AfterEnd.values:
        plan["after_end"] = end
    if priority := data.get("priority", "").strip():
        plan["priority"] = _priority(priority)
    return plan


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        moment = None
    if moment is None:
        raise BadInput(_("Enter both a date and a time, or neither."))
    return make_aware(moment) if is_naive(moment) else moment


def _priority(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = MOST_PRIORITY + 1
    if not LEAST_PRIORITY <= number <= MOST_PRIORITY:
        least_and_most = {"least": LEAST_PRIORITY, "most": MOST_PRIORITY}
        raise BadInput(_("Enter a whole number from %(least)d to %(most)d as priority.") % least_and_most)
    return number
