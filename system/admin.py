"""The audit log in the admin: read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from system.models import AuditEntry
from web.admin_parts import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("number", "at", "actor_name", "address", "action", "kind", "thing_name")
    list_filter = ("at", "kind", "means")
    search_fields = ("actor_name", "action", "thing_id", "thing_name", "address", "before", "after")
    show_full_result_count = False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """For admins, as the page and the API."""
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)
