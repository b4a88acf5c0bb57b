"""A new run: start from a preset, a run or one's own last config, change the main fields, and queue it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from onetrainer_site.pages import PageRequest, render_page, trainers_only
from presets import configs, drafts
from presets.errors import BadInput, DomainError
from presets.models import Draft, Preset
from training.forms import ENGINE, ConfigForm
from training.models import Run
from training.service import TrainerService

FACTS = ("name", "tags", "notes")


@dataclass(frozen=True)
class Start:
    """What a form begins with; `key` is how the form names it."""

    key: str
    config: dict[str, Any]
    preset: Preset | None = None
    run: Run | None = None


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@trainers_only
def new_run(request: PageRequest) -> HttpResponse:
    """Show the form, take another start, check what was typed, or queue the run."""
    if request.method != "POST":
        start = _start(request, _asked_for(request))
        return _show(request, start, ConfigForm(start.config), dict.fromkeys(FACTS, ""))
    base = _start(request, request.POST.get("base", ""))
    form = ConfigForm(base.config, request.POST)
    facts = {name: request.POST.get(name, "") for name in FACTS}
    if request.POST.get("do") == "load":
        start = _start(request, request.POST.get("start", ""))
        return _show(request, start, form.moved_to(start.config), facts)
    return _check(request, base, form, facts)


def _check(request: PageRequest, base: Start, form: ConfigForm, facts: dict[str, str]) -> HttpResponse:
    """Keep what was typed; then, unless something is wrong or only a check was wished, queue the run."""
    changes = form.changes()
    whole = configs.merge(form.base, changes)
    drafts.retry(drafts.get_draft(request.user), lambda one: drafts.replace_config(one, one.revision, whole))
    problems = configs.validate(whole, ENGINE)
    form.warnings = [f"{one.field}: {one.message}" for one in problems if not one.is_error]
    form.blame(_by_field(problems))
    if form.error_count:
        return _show(request, base, form, facts, status=400)
    if request.POST.get("do") == "check":
        return _show(request, base, form, facts, checked=True)
    return _queue(request, base, form, facts, changes)


def _by_field(problems: list[Any]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for problem in problems:
        if problem.is_error:
            errors.setdefault(problem.field, []).append(problem.message)
    return errors


def _queue(
    request: PageRequest, base: Start, form: ConfigForm, facts: dict[str, str], changes: dict[str, Any]
) -> HttpResponse:
    tags = [tag.strip() for tag in facts["tags"].split(",") if tag.strip()]
    try:
        run = TrainerService(request.user).start_training(
            {} if base.preset else base.config,
            preset=base.preset,
            overrides=changes,
            name=facts["name"].strip(),
            engine=ENGINE,
            parent=base.run,
            notes=facts["notes"],
            tags=tags,
        )
    except DomainError as problem:
        form.blame(problem.errors if isinstance(problem, BadInput) and problem.errors else {"": [str(problem)]})
        return _show(request, base, form, facts, status=400)
    messages.success(request, f"“{run.name}” waits in the queue.")
    return redirect(run)


def _asked_for(request: PageRequest) -> str:
    """The address may name a preset or a run; else one's own last config is taken up again."""
    for kind in ("preset", "run"):
        if value := request.GET.get(kind):
            return f"{kind}:{value}"
    return "mine" if Draft.objects.filter(user=request.user, preset=None).exists() else ""


def _start(request: PageRequest, key: str) -> Start:
    kind, _, value = key.partition(":")
    if kind == "preset":
        if not value.isdecimal():
            raise Http404("There is no such preset.")
        preset = get_object_or_404(Preset, pk=int(value))
        return Start(key, preset.config, preset=preset)
    if kind == "run":
        run = get_object_or_404(Run, pk=_uuid(value))
        return Start(key, run.config, run=run)
    if kind == "mine":
        mine = Draft.objects.filter(user=request.user, preset=None).first()
        return Start(key, mine.config if mine else {})
    return Start("", {})


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Http404("There is no such run.") from None


def _show(
    request: PageRequest,
    start: Start,
    form: ConfigForm,
    facts: dict[str, str],
    status: int = 200,
    checked: bool = False,
) -> HttpResponse:
    context = {
        "start": start,
        "form": form,
        "facts": facts,
        "checked": checked,
        "presets": Preset.objects.listed(),
        "has_mine": Draft.objects.filter(user=request.user, preset=None).exists(),
        "datasets": _datasets(),
        "datasets_folder": settings.DATA_DIR / "datasets",
    }
    return render_page(request, "training/new_run.html", "training/_new_run.html", context, status)


def _datasets() -> list[str]:
    """The folders that lie where data sets belong."""
    return sorted(str(path) for path in (settings.DATA_DIR / "datasets").iterdir() if path.is_dir())
