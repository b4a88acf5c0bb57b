"""Permissions: viewers read, trainers also start and stop runs, admins also manage users; a token may allow less."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

TRAINERS = "trainers"
READ, TRAIN, ADMIN = SCOPES = ("read", "train", "admin")  # each includes those before it


def may_train(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Admins and members of the group `trainers` may make changes; all other signed-in users may only view."""
    if not isinstance(user, User) or scope_of(user) == READ:
        return False
    return user.is_staff or getattr(user, "is_admin_without_scope", False) or user.groups.filter(name=TRAINERS).exists()


def scope_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """The scope of the token that the request came with; `admin`, thus no limit, without a token."""
    return getattr(user, "scope", ADMIN)


def limit_to_scope(user: User, scope: str) -> User:
    """Take from this object of the user the rights that the scope does not include, in memory alone.

    An admin's rights are taken from the fields that Django reads, so that no check of an admin can overlook the scope.
    Such an object cannot be saved.
    """
    user.scope = scope  # type: ignore[attr-defined]
    if scope != ADMIN:
        user.is_admin_without_scope = user.is_staff  # type: ignore[attr-defined]
        user.is_staff = user.is_superuser = False
        user.save = _refuse_to_save  # type: ignore[method-assign]
    return user


def _refuse_to_save(*args: object, **kwargs: object) -> None:
    raise RuntimeError("This user has only the rights of a token: load the user again to save changes.")


class ViewersReadTrainersWrite(BasePermission):
    """You may view everything here but change nothing: ask an admin to add you to the group 'trainers'."""

    message = __doc__

    def has_permission(self, request: Request, view: object) -> bool:
        if request.method in SAFE_METHODS:
            return bool(request.user and request.user.is_authenticated)
        return may_train(request.user)


class OnlyAdmins(BasePermission):
    """Only admins may view this: ask an admin."""

    message = __doc__

    def has_permission(self, request: Request, view: object) -> bool:
        return bool(request.user and request.user.is_authenticated and request.user.is_staff)


class OnlyTrainers(BasePermission):
    """Only trainers may list the server's folders: ask an admin to add you to the group 'trainers'."""

    message = __doc__

    def has_permission(self, request: Request, view: object) -> bool:
        return may_train(request.user)
