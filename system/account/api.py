"""The API's views that belong to no app: the user's own, and the response for unknown addresses."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from system.account import tokens
from system.account.serializers import MeSerializer
from web.errors import NotFound
from web.permissions import may_train, scope_of


class MeView(APIView):
    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Return the signed-in user and their permissions."""
        user: User = request.user
        return Response(
            {
                "username": user.username,
                "email": user.email,
                "is_admin": user.is_staff,
                "may_train": may_train(user),
                "has_token": tokens.tokens_of(user).exists(),
                "scope": scope_of(user),
            }
        )


@extend_schema(exclude=True)
class NoSuchAddressView(APIView):
    permission_classes = [AllowAny]

    def dispatch(self, request: Any, *args: object, **kwargs: object) -> Any:
        """Refuse every method: the address does not exist."""
        self.args, self.kwargs, self.headers = args, kwargs, self.default_response_headers
        self.request = request = self.initialize_request(request, *args, **kwargs)
        error = NotFound(_("There is nothing at this address: see /api/docs/ for all addresses."))
        return self.finalize_response(request, self.handle_exception(error))
