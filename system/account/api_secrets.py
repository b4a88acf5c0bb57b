"""The API of the user's own tokens for hubs: names and times come out, values never."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from system.account import secrets
from system.account.serializers import NewSecretsSerializer, SecretsSerializer
from web.errors import BadInput


class SecretsView(APIView):
    permission_classes = [IsAuthenticated]  # they are each user's own

    @extend_schema(responses=SecretsSerializer)
    def get(self, request: Request) -> Response:
        """Which tokens there can be, and since when yours are set; a value is never shown again."""
        return _told(request)

    @extend_schema(request=NewSecretsSerializer, responses=SecretsSerializer)
    def put(self, request: Request) -> Response:
        """Set tokens by name, or remove them with null; those that are left out stay. Runs of yours train with them."""
        given: Any = request.data
        if not isinstance(given, dict):
            raise BadInput(_("Send a JSON object with a token by its name."))
        with transaction.atomic():
            for name, value in given.items():
                if value is None:
                    secrets.remove_secret(request.user, name)
                else:
                    secrets.set_secret(request.user, name, value)
        return _told(request)


def _told(request: Request) -> Response:
    since = secrets.set_since(request.user)
    rows = [{"name": name, "is_set": at is not None, "updated_at": at} for name, at in since.items()]
    return Response(SecretsSerializer({"secrets": rows}).data)
