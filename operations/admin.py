"""Workers in the admin: their state, and draining a worker."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from system.models import Job, Worker
from training.models import Run
from web.admin_parts import NOTHING, ReadOnlyAdmin, link_to, pill


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("name", "status_pill", "heartbeat", "current_run", "device_name", "gpu", "host", "drain_pill")
    list_filter = ("status", "host", "drain")
    search_fields = ("name", "host", "device_name")
    actions = ("start_draining", "stop_draining")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        active = Prefetch("runs", queryset=Run.objects.active(), to_attr="active_runs")
        return super().get_queryset(request).prefetch_related(active)

    def has_drain_permission(self, request: HttpRequest) -> bool:
        """Workers cannot be edited here; users with the permission to change workers may drain them."""
        return request.user.has_perm("system.change_worker")

    @admin.display(description="status", ordering="status")
    def status_pill(self, worker: Worker) -> SafeString:
        """A worker that died could not write that it is offline."""
        lost = not worker.is_alive and worker.status != Worker.Status.OFFLINE
        return pill("lost", "no heartbeat") if lost else pill(worker.status)

    @admin.display(description="drain", ordering="drain")
    def drain_pill(self, worker: Worker) -> SafeString | str:
        return pill("draining", "takes no more runs") if worker.drain else ""

    @admin.display(description="heartbeat", ordering="heartbeat_at")
    def heartbeat(self, worker: Worker) -> SafeString:
        return format_html(
            '<time datetime="{0}" title="{0}">{1}</time>',
            worker.heartbeat_at.isoformat(),
            naturaltime(worker.heartbeat_at),
        )

    @admin.display(description="current run")
    def current_run(self, worker: Any) -> SafeString | str:
        return format_html_join(", ", "{}", ((link_to(run),) for run in worker.active_runs)) or NOTHING

    @admin.action(description="Drain: finish the current run, then take no more runs", permissions=["drain"])
    def start_draining(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._set_drain(request, queryset, True, "They finish their current run, then take no more runs")

    @admin.action(description="Undrain: take runs again", permissions=["drain"])
    def stop_draining(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._set_drain(request, queryset, False, "They take runs again")

    def _set_drain(self, request: HttpRequest, workers: QuerySet[Worker], drain: bool, done: str) -> None:
        for worker in workers:
            worker.set_drain(drain, by=cast(User, request.user))  # the admin lets nobody else in
        self.message_user(request, f"{done}: {', '.join(worker.name for worker in workers)}.", messages.SUCCESS)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = ("kind", "status_pill", "detail", "user", "worker", "created_at", "ended_at")
    list_filter = ("kind", "status")
    list_select_related = ("user",)

    @admin.display(description="status", ordering="status")
    def status_pill(self, job: Job) -> SafeString:
        return pill(job.status)
