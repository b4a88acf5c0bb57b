"""Permissions: viewers read, trainers also start and stop runs, admins also manage users."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

TRAINERS = "trainers"


def may_train(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Admins and members of the group `trainers` may make changes; all other signed-in users may only view."""
    return isinstance(user, User) and (user.is_staff or user.groups.filter(name=TRAINERS).exists())


class ViewersReadTrainersWrite(BasePermission):
    """You may view everything here but change nothing: ask an admin to add you to the group 'trainers'."""

    message = __doc__

    def has_permission(self, request: Request, view: object) -> bool:
        if request.method in SAFE_METHODS:
            return bool(request.user and request.user.is_authenticated)
        return may_train(request.user)


class OnlyTrainers(BasePermission):
    """Only trainers may list the server's folders: ask an admin to add you to the group 'trainers'."""

    message = __doc__

    def has_permission(self, request: Request, view: object) -> bool:
        return may_train(request.user)
