"""The page of disk usage, of a preview of a clean-up, and of the results of clean-ups."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from operations import disk_notice as disk_warning
from operations.cleanup.ask import ask_for_inventory
from operations.cleanup.cleanup_plan import (
    CleanupChoice,
    PlanItem,
    allowed_runs,
    confirm,
    kinds_for,
    make_plan,
    newest_inventory,
    propose,
)
from system.models import Job, Worker
from system.resources import disk_of_data
from training.models import RetentionPolicy, Run
from web.errors import BadInput, DomainError, Forbidden
from web.ids import as_uuid
from web.pages import Context, PageRequest, errors_as_messages, page, render_page, trainers

SHOWN = 200  # items of a plan that are shown; number and sum count all
RUNS_SHOWN = 15
LARGE = 1_000_000  # bytes of an entry of the data folder that gets its own line
NAMES: Context = {
    "backups": gettext_lazy("Backups"),
    "saves": gettext_lazy("Saved models"),
    "models": gettext_lazy("Final models"),
    "samples": gettext_lazy("Samples"),
    "caches": gettext_lazy("Caches"),
    "logs": gettext_lazy("Logs"),
    "leftovers": gettext_lazy("Half-written leftovers"),
    "orphans": gettext_lazy("Folders of deleted runs"),
    "records": gettext_lazy("Journals and settings"),
}


class ChoiceForm(forms.Form):
    """What to delete."""

    kinds = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, required=False)
    run = forms.CharField(required=False)
    older_than = forms.IntegerField(min_value=0, max_value=36500, required=False)
    keep = forms.IntegerField(min_value=0, max_value=100_000, required=False)

    def __init__(self, user: User, *args: Any) -> None:
        super().__init__(*args)
        self.fields["kinds"].choices = [(kind, NAMES[kind]) for kind in kinds_for(user)]  # type: ignore[attr-defined]

    def clean_run(self) -> str:
        given = self.cleaned_data["run"].strip()
        if given and as_uuid(given) is None:
            raise forms.ValidationError(_("This is not the id of a run: choose a run from the list."))
        return given

    def choice(self) -> CleanupChoice:
        data = self.cleaned_data
        return CleanupChoice(tuple(data["kinds"]), data["run"], data["older_than"] or 0, data["keep"])


class PolicyForm(forms.ModelForm):
    class Meta:
        model = RetentionPolicy
        fields = (
            *("keep_backups", "every_backups", "keep_saves", "every_saves", "keep_samples", "every_samples"),
            "keep_custom_samples",
        )


@page("GET", only=trainers)
def cleanup(request: PageRequest) -> HttpResponse:
    """Disk usage, the choice of a clean-up, and the results of the last ones."""
    inventory = newest_inventory()
    if inventory is None:
        ask_for_inventory(request.user)
    context = {**_usage(inventory, request.user), **_jobs(request.user), "form": ChoiceForm(request.user), "given": {}}
    context |= _policy_context(request)
    if "preview" in request.GET:
        context |= _preview(request)
    return render_page(request, "operations/cleanup/cleanup.html", "operations/cleanup/_cleanup_jobs.html", context)


def _usage(inventory: Context | None, user: User) -> Context:
    """Only an admin sees the sizes of other users' runs."""
    found = inventory or {}
    mine = None if user.is_staff else {str(key) for key in allowed_runs(user).values_list("pk", flat=True)}
    runs = [run for run in found.get("runs", []) if mine is None or run["id"] in mine]
    kinds = sorted(found.get("kinds", {}).items(), key=lambda pair: -pair[1])
    return {
        "inventory": inventory,
        "disk": disk_of_data(),
        "kinds_used": [(NAMES.get(kind, kind), size) for kind, size in kinds],
        "folders": _other_folders(found.get("folders", {})),
        "runs_used": [{**run, "parts": _parts(run)} for run in runs[:RUNS_SHOWN]],
        "choosable": [(kind, NAMES[kind]) for kind in kinds_for(user)],
        "runs_to_choose": allowed_runs(user).order_by("-created_at").only("id", "name", "created_at")[:500],
    }


def _other_folders(folders: dict[str, int]) -> list[tuple[str, int]]:
    """Entries other than runs and caches; small ones are added up."""
    others = {name: size for name, size in folders.items() if name not in ("runs", "cache")}
    large = [(name, size) for name, size in others.items() if size >= LARGE]
    rest = sum(others.values()) - sum(size for name, size in large)
    return [*large, (_("The rest"), rest)]


def _parts(run: Context) -> list[tuple[Any, int]]:
    parts = sorted(run["kinds"].items(), key=lambda pair: -pair[1])
    return [(NAMES.get(kind, kind), size) for kind, size in parts if size]


def _jobs(user: User) -> Context:
    cleanups = Job.objects.filter(kind=Job.Kind.CLEANUP).exclude(status=Job.Status.PLANNED).select_related("user")
    if not user.is_staff:
        cleanups = cleanups.filter(user=user)
    jobs = list(cleanups[:5])
    is_counting = Job.objects.open().filter(kind=Job.Kind.MEASURE).exists()
    is_open = is_counting or any(job.is_open for job in jobs)
    has_worker = Worker.objects.alive().exists()
    return {"jobs": jobs, "is_counting": is_counting, "is_open": is_open, "has_worker": has_worker}


def _preview(request: PageRequest) -> Context:
    form = ChoiceForm(request.user, request.GET)
    given = {
        "kinds": request.GET.getlist("kinds"),
        **{key: request.GET.get(key, "") for key in form.fields if key != "kinds"},
    }
    if not form.is_valid():
        return {"form": form, "given": given}
    try:
        plan = make_plan(form.choice(), request.user)
    except DomainError as problem:
        return {"form": form, "given": given, "refused": str(problem)}
    token = propose(form.choice(), plan, request.user).pk if plan.going else ""
    context = {"plan": plan, "going": plan.going[:SHOWN], "staying": _by_reason(plan.staying), "token": token}
    return {"form": form, "given": given, **context}


def _by_reason(items: list[PlanItem]) -> list[tuple[str, int, int]]:
    """(reason, count, bytes), the largest first."""
    sums: dict[str, list[int]] = defaultdict(list)
    for item in items:
        sums[item.why].append(item.bytes)
    return sorted(((why, len(sizes), sum(sizes)) for why, sizes in sums.items()), key=lambda row: -row[2])


@page("POST", only=trainers)
def count_again(request: PageRequest) -> HttpResponse:
    ask_for_inventory(request.user)
    return redirect("cleanup")


@page("POST", only=trainers)
def clean_up(request: PageRequest) -> HttpResponse:
    """Confirm the preview."""
    with errors_as_messages(request):
        if as_uuid(request.POST.get("token", "")) is None:
            raise BadInput(_("Make a preview first."))
        confirm(request.POST["token"], request.user)
        messages.success(request, _("A worker deletes it; the progress is shown below."))
    return redirect("cleanup")


def _policy_context(request: PageRequest) -> Context:
    form, run = PolicyForm(instance=_policy(request)), _run_of(request)
    titles = {"backups": _("Backups"), "saves": _("Saved models"), "samples": _("Steps with samples")}
    rows: list[tuple[Any, Any, str]] = [
        (form[f"keep_{kind}"], form[f"every_{kind}"], title) for kind, title in titles.items()
    ]
    rows.append((form["keep_custom_samples"], None, _("Custom samples")))
    return {"policy_rows": rows, "policy_run": run, "may_change_policy": run is not None or request.user.is_staff}


def _run_of(request: PageRequest) -> Run | None:
    """The run whose policy is shown; None for the site's policy."""
    asked = request.GET.get("policy_of") or request.POST.get("policy_of") or ""
    return get_object_or_404(allowed_runs(request.user), pk=asked) if as_uuid(asked) else None


def _policy(request: PageRequest) -> RetentionPolicy:
    run = _run_of(request)
    return RetentionPolicy.own(run) if run else RetentionPolicy.of_site()


@page("POST", only=trainers)
def change_policy(request: PageRequest) -> HttpResponse:
    """The site's policy, which only an admin changes, or that of one's own run."""
    run = _run_of(request)
    if run is None and not request.user.is_staff:
        raise Forbidden(_("Only an admin changes the site's policy: set a policy for your own runs instead."))
    if run is not None and "follow_site" in request.POST:
        RetentionPolicy.objects.filter(scope=str(run.pk)).delete()
        messages.success(request, _("The run follows the site's policy."))
        return redirect("cleanup")
    form = PolicyForm(request.POST, instance=_policy(request))
    if not form.is_valid():
        messages.error(request, _("Enter whole numbers of at least 1, or leave a field empty to keep all."))
    else:
        form.save()
        messages.success(
            request, _("The policy is saved; it applies to clean-ups at once, and from the next new file.")
        )
    return redirect("cleanup")


@page("GET")
def disk_notice(request: PageRequest) -> HttpResponse:
    """The warning about the disk, which pages poll."""
    return render(request, "operations/_disk_notice.html", {"notice": disk_warning.notice(), "user": request.user})
