"""Runs in the admin: a list to control them, and a page with all facts about a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext as _

from training.admin_page import facts_for_export, page_of
from training.models import Artifact, RetentionPolicy, Run, RunCommand, RunEvent
from training.queue.service import QueueService
from training.runs.continuation import Continuation
from training.runs.removal import delete_run
from training.runs.service import TrainerService
from training.runs.timeline import describe
from web import admin_parts
from web.admin_parts import NOTHING, ReadOnlyAdmin, link_to, pill, short_time
from web.errors import DomainError


class TagsFormField(forms.CharField):
    """A list of words, separated by commas."""

    def prepare_value(self, value: object) -> object:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: str | list[str] | None) -> Any:
        words = value if isinstance(value, list) else (value or "").split(",")
        return list(dict.fromkeys(word.strip() for word in words if word.strip()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class RunForm(forms.ModelForm):
    tags = TagsFormField(required=False, help_text="Words, separated by commas.")

    class Meta:
        model = Run
        fields = ("notes", "tags")


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):
    form = RunForm
    list_display = (
        "name",
        "status_pill",
        "progress_bar",
        "loss_text",
        "preset",
        "owner",
        "worker",
        "duration",
        "created",
    )
    list_filter = (
        "status",
        ("engine", admin.AllValuesFieldListFilter),
        ("owner", admin.RelatedOnlyFieldListFilter),
        ("preset", admin.RelatedOnlyFieldListFilter),
        ("worker", admin.RelatedOnlyFieldListFilter),
        "created_at",
    )
    list_select_related = ("preset", "owner", "worker", "progress")
    list_per_page = 50
    search_fields = ("name", "notes", "config", "id")
    search_help_text = "Name, notes, a word of the config, or an id."
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    actions = ("stop", "stop_at_once", "start_now", "cancel", "queue_again", "duplicate", "export")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).select_related("preset", "owner", "worker", "progress")

    # -- the list ----------------------------------------------------------------------------------------------

    @admin.display(description="status", ordering="status")
    def status_pill(self, run: Run) -> SafeString:
        return pill(run.status)

    @admin.display(description="progress", ordering="progress__global_step")
    def progress_bar(self, run: Run) -> SafeString:
        return render_to_string("admin/training/run/_progress.html", {"run": run})

    @admin.display(description="loss", ordering="progress__smooth_loss")
    def loss_text(self, run: Run) -> str:
        progress = run.progress
        loss = progress.loss if progress.smooth_loss is None else progress.smooth_loss
        return NOTHING if loss is None else f"{loss:.4f}"

    @admin.display(description="duration")
    def duration(self, run: Run) -> str:
        """The time from the first start to the end, or until now."""
        if run.started_at is None or run.status == Run.Status.QUEUED:
            return NOTHING
        minutes, seconds = divmod(int(((run.ended_at or now()) - run.started_at).total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"

    @admin.display(description="created", ordering="created_at")
    def created(self, run: Run) -> str:
        return short_time(run.created_at)

    # -- who may do what ---------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """Ended runs can only be viewed."""
        return super().has_change_permission(request, obj) and not (obj and obj.is_ended)

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.is_ended)

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> tuple[str, ...]:
        """Users without the right to edit see the tags among the facts above."""
        return ("notes", "tags") if self.has_change_permission(request, obj) else ("notes",)

    # -- one run -----------------------------------------------------------------------------------------------

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any, **kwargs: Any) -> HttpResponse:
        run = context["original"]
        context |= page_of(run) | {
            "status_pill": pill(run.status),
            "duration": self.duration(run),
            "page_actions": self._page_actions(request, run),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _page_actions(self, request: HttpRequest, run: Run) -> list[tuple[str, str]]:
        """The actions for the run's current state, as (name, label)."""
        labels = {name: action[2] for name, action in self.get_actions(request).items() if action}
        senseless = {"stop": not run.is_active, "cancel": run.status != Run.Status.QUEUED}
        senseless["stop_at_once"] = run.status != Run.Status.STOPPING
        senseless["start_now"] = not run.waits_to_go_on
        return [(name, labels[name]) for name in self.actions if name in labels and not senseless.get(name)]

    def save_model(self, request: HttpRequest, obj: Run, form: forms.ModelForm, change: bool) -> None:
        """Save only the edited fields: a worker may have changed others since they were read."""
        obj.save(update_fields=form.changed_data)

    # -- deleting ----------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Iterable[Run], request: HttpRequest) -> tuple[list, dict, set, list]:
        """The rows that a deletion removes, as numbers: a run has too many metrics to list."""
        runs = list(objs)
        kept = [f"{run.name} is {run.status}: stop or cancel it first" for run in runs if not run.is_ended]
        named = [format_html("{} ({}, with its files)", run.name, run.status) for run in runs]
        below = {
            related.related_model._meta.verbose_name_plural: related.related_model._default_manager.filter(
                **{f"{related.field.name}__in": runs}
            ).count()
            for related in Run._meta.related_objects
            if related.related_model is not Run
        }
        needed = set() if super().has_delete_permission(request) else {Run._meta.verbose_name}
        return named, {Run._meta.verbose_name_plural: len(runs)} | below, needed, kept

    def delete_model(self, request: HttpRequest, obj: Run) -> None:
        delete_run(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        for run in queryset:
            self.delete_model(request, run)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict | None = None) -> HttpResponse:
        return self._or_back(request, lambda: super(RunAdmin, self).delete_view(request, object_id, extra_context))

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The list, which also receives actions; an action from a run's page returns to that page."""
        response = self._or_back(request, lambda: super(RunAdmin, self).changelist_view(request, extra_context))
        if isinstance(response, HttpResponseRedirect) and "back_to_run" in request.POST:
            return redirect("admin:training_run_change", request.POST["back_to_run"])
        return response

    def _or_back(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """Show a refusal by the service as a message on the list."""
        try:
            return view()
        except DomainError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect("admin:training_run_changelist")

    # -- actions -----------------------------------------------------------------------------------------------

    @admin.action(description="Stop", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._do(request, queryset, TrainerService(request.user).stop_training, "Stop requested")

    @admin.action(description="Stop at once", permissions=["change"])
    def stop_at_once(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse | None:
        """Ask for confirmation, since all progress after the last backup is lost."""
        if "confirmed" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": _("Stop at once"), "runs": queryset}
            return render(request, "admin/training/run/stop_at_once.html", context)
        stop = partial(TrainerService(request.user).stop_training, at_once=True)
        self._do(request, queryset, stop, "Killed")
        return None

    @admin.action(description="Start now", permissions=["change"])
    def start_now(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._do(request, queryset, QueueService(request.user).start_now, "Starts now")

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._do(request, queryset, QueueService(request.user).cancel, "Cancelled")

    @admin.action(description="Queue again", permissions=["change"])
    def queue_again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._do(request, queryset, Continuation(request.user).restart, "Queued again, as a new run")

    @admin.action(description="Duplicate", permissions=["change"])
    def duplicate(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._do(request, queryset, Continuation(request.user).duplicate, "Duplicated, and queued")

    @admin.action(description="Export", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        runs = [facts_for_export(run) for run in queryset.prefetch_related("artifacts")]
        return admin_parts.download({"runs": runs}, f"runs-{now():%Y-%m-%d}.json")

    def _do(self, request: HttpRequest, runs: QuerySet[Run], act: Callable[[Run], Any], done: str) -> None:
        """Do the action on each run, oldest first, and report each result, with a link to a new run if there is one."""
        served = []
        for run in runs.order_by("created_at"):
            try:
                result = act(run)
            except DomainError as refusal:
                self.message_user(request, f"{run.name}: {refusal}", messages.ERROR)
            else:
                served.append(result if isinstance(result, Run) else run)
        if served:
            names = format_html_join(", ", "{}", ((link_to(run),) for run in served))
            self.message_user(request, format_html("{}: {}.", done, names), messages.SUCCESS)


class OfRunAdmin(ReadOnlyAdmin):
    """A list of objects that belong to runs."""

    list_select_related: ClassVar[tuple[str, ...]] = ("run",)

    @admin.display(description="run", ordering="run__name")
    def run_link(self, thing: RunCommand | RunEvent | Artifact) -> SafeString | str:
        return link_to(thing.run)


@admin.register(RunCommand)
class RunCommandAdmin(OfRunAdmin):
    list_display = ("kind", "status_pill", "run_link", "requested_by", "requested_at", "ended_at", "detail")
    list_filter = ("status", "kind", ("requested_by", admin.RelatedOnlyFieldListFilter), "requested_at")
    list_select_related = ("run", "requested_by")
    search_fields = ("run__name", "detail")
    date_hierarchy = "requested_at"
    ordering = ("-requested_at",)

    @admin.display(description="status", ordering="status")
    def status_pill(self, command: RunCommand) -> SafeString:
        return pill(command.status)


@admin.register(RunEvent)
class RunEventAdmin(OfRunAdmin):
    list_display = ("kind", "text", "run_link", "attempt", "user", "at")
    list_filter = ("kind", ("user", admin.RelatedOnlyFieldListFilter), "at")
    list_select_related = ("run", "user")
    search_fields = ("run__name",)
    date_hierarchy = "at"
    ordering = ("-at", "-pk")

    @admin.display(description="what happened")
    def text(self, event: RunEvent) -> str:
        return describe(event) or NOTHING


@admin.register(Artifact)
class ArtifactAdmin(OfRunAdmin):
    list_display = ("kind", "run_link", "global_step", "size_text", "path", "is_there", "created_at")
    list_filter = ("kind", "created_at", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("run__name", "path", "sha256")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)

    @admin.display(description="size", ordering="size")
    def size_text(self, artifact: Artifact) -> str:
        return filesizeformat(artifact.size)

    @admin.display(description="exists", boolean=True)
    def is_there(self, artifact: Artifact) -> bool:
        return artifact.exists


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(admin.ModelAdmin):
    list_display = (
        "__str__",
        *(f"{word}_{kind}" for kind in ("backups", "saves", "samples") for word in ("keep", "every")),
        "keep_custom_samples",
    )
    readonly_fields = ("run",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
