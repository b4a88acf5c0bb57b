"""The API of the user's own tokens for hubs: it returns names and times, never values."""

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
    permission_classes = [IsAuthenticated]  # the tokens are each user's own

    @extend_schema(responses=SecretsSerializer)
    def get(self, request: Request) -> Response:
        """List the possible tokens, and since when yours are set; values are never shown again."""
        return _secrets_response(request)

    @extend_schema(request=NewSecretsSerializer, responses=SecretsSerializer)
    def put(self, request: Request) -> Response:
        """Set tokens by name, or remove them with null; tokens that are left out stay. Your runs train with them."""
        body: Any = request.data
        if not isinstance(body, dict):
            raise BadInput(_("Send a JSON object with tokens by name."))
        with transaction.atomic():
            for name, value in body.items():
                if value is None:
                    secrets.remove_secret(request.user, name)
                else:
                    secrets.set_secret(request.user, name, value)
        return _secrets_response(request)


def _secrets_response(request: Request) -> Response:
    since = secrets.set_since(request.user)
    rows = [{"name": name, "is_set": at is not None, "updated_at": at} for name, at in since.items()]
    return Response(SecretsSerializer({"secrets": rows}).data)
