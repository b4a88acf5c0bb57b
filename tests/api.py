"""Clients of the API for tests."""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from tests.making import make_token, make_user
from web.permissions import TRAINERS


def viewer(name: str = "vera") -> APIClient:
    """A client with the token of a user who may only view."""
    return _client_of(make_user(name))


def trainer(name: str = "ada") -> APIClient:
    """A client with the token of a user who may start and stop runs."""
    user = make_user(name)
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    return _client_of(user)


def admin(name: str = "ada") -> APIClient:
    """A client with the token of an admin."""
    return _client_of(make_user(name, is_staff=True))


def content(answer: Any) -> bytes:
    """The whole body of a streamed file."""

    async def collect() -> bytes:
        return b"".join([piece async for piece in answer])

    return async_to_sync(collect)()


def _client_of(user: Any) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {make_token(user)}")
    client.user = user
    client.default_format = "json"
    return client
