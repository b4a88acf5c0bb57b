"""The audit log and the API tokens in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from system.models import ApiToken, AuditEntry
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


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens of all people, which an admin can revoke; people make them on their account pages."""

    list_display = ("user", "name", "scope", "start", "created_at", "expires_at", "last_used_at")
    list_filter = ("scope", "is_for_jwt")
    search_fields = ("user__username", "name")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("system.delete_apitoken"))
