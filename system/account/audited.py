"""Entries about people: sign-ins and failures, accounts, roles, tokens, secrets, and changes in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.http import HttpRequest
from rest_framework.authtoken.models import Token

from system.account.models import Secret
from system.audit.log import record
from system.audit.thing import Thing
from system.audit.watching import watch, watch_members, watched

ADMIN = {ADDITION: "added", CHANGE: "changed", DELETION: "deleted"}
UNKNOWN = "(no such name)"  # a password typed into the field of the name must not be kept


def connect() -> None:
    """Once, when the apps are ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit signed in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit signed out")
    user_login_failed.connect(_failed, dispatch_uid="audit failed sign-in")
    post_save.connect(_changed_in_admin, LogEntry, dispatch_uid="audit admin")
    watch(User, "account", "username", "email", "is_active", "is_staff", "is_superuser", "password")
    watch(Group, "group", "name")
    watch(Token, "token", "user_id")
    watch(Secret, "secret", "name", "ciphertext", "user_id")
    watch_members(User.groups.through, "role")
    watch_members(User.user_permissions.through, "role")
    watch_members(Group.permissions.through, "role")


def _signed_in(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    record("sign_in.done", actor=user, request=request, thing=user)


def _signed_out(sender: Any, request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        record("sign_out.done", actor=user, request=request, thing=user)


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """A wrong password, or a name that does not exist."""
    given = str(credentials.get("username") or credentials.get("email") or credentials.get("login") or "")
    known = User.objects.filter(username=given).first() if given and "\0" not in given else None
    record("sign_in.failed", actor=known.username if known else UNKNOWN, request=request, thing=known)


def _changed_in_admin(sender: Any, instance: LogEntry, created: bool, **kwargs: Any) -> None:
    """The admin's own log names the changed fields; watched models have recorded the values already."""
    kind = instance.content_type
    if not created or kind is None or kind.model_class() in watched:
        return
    facts = {"change": instance.get_change_message()}
    thing = Thing(kind.model, instance.object_id or "", instance.object_repr)
    record(f"admin.{ADMIN[instance.action_flag]}", actor=instance.user, thing=thing, after=facts)
