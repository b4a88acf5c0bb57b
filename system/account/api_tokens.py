"""The API of personal tokens, of JSON Web Tokens, and of tickets for WebSockets."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from system.account import json_web_tokens, tickets, tokens
from system.account.authentication import credential_of_request
from system.account.second_factor import has_second_factor
from system.account.serializers import (
    ApiTokenSerializer,
    ApiTokensSerializer,
    NewApiTokenSerializer,
    NewTokenPairSerializer,
    RefreshTokenSerializer,
    ShownApiTokenSerializer,
    TicketSerializer,
    TokenPairSerializer,
    TokenSerializer,
)
from system.account.sign_in_limits import Attempt
from system.models import ApiToken
from web.errors import Forbidden
from web.permissions import SCOPES, scope_of


class AnyoneMayPost(BasePermission):
    """Signing in needs no sign-in; other methods answer as everywhere."""

    def has_permission(self, request: Request, view: object) -> bool:
        return request.method == "POST" or bool(request.user and request.user.is_authenticated)


class TokenView(APIView):
    permission_classes = [IsAuthenticated]  # viewers may use the API too
    methods_for_reading = ("DELETE",)  # a token can always revoke itself

    @extend_schema(request=None, responses={201: TokenSerializer})
    def post(self, request: Request) -> Response:
        """Create the token named “API token”; the previous one of that name is revoked. It is shown only once."""
        return Response({"token": tokens.replace_token(request.user)}, status=201)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Revoke the token named “API token”, and the one of this request: both are refused from now on."""
        tokens.revoke_default_token(request.user, request.auth if isinstance(request.auth, ApiToken) else None)
        return Response(status=204)


class TokensView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=ApiTokensSerializer)
    def get(self, request: Request) -> Response:
        """List your tokens: names, scopes, times of expiry and of the last use, but never the tokens themselves."""
        return Response({"tokens": ApiTokenSerializer(tokens.tokens_of(request.user), many=True).data})

    @extend_schema(request=NewApiTokenSerializer, responses={201: ShownApiTokenSerializer})
    def post(self, request: Request) -> Response:
        """Create a token with a name, a scope (`read`, `train` or `admin`) and the days until it expires."""
        wish = NewApiTokenSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        token, key = tokens.new_token(request.user, tokens.Wish(**wish.validated_data))
        return Response({**ApiTokenSerializer(token).data, "token": key}, status=201)


class OneTokenView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """Revoke one of your tokens: it is refused from now on, and its WebSockets are closed."""
        tokens.revoke_token(request.user, int(pk))
        return Response(status=204)


class NewTokenPairView(APIView):
    """A JWT pair for a personal token or a session, or for a name and a password."""

    permission_classes = [AnyoneMayPost]
    methods_for_reading = ("POST",)

    @extend_schema(request=NewTokenPairSerializer, responses={201: TokenPairSerializer})
    def post(self, request: Request) -> Response:
        """Create a JWT pair: `access` for requests, and `refresh` for the next pair, which works once."""
        wish = NewTokenPairSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        user = _owner(request, wish.validated_data)
        largest = scope_of(user)
        scope = wish.validated_data.get("scope", largest)
        if SCOPES.index(scope) > SCOPES.index(largest):
            raise Forbidden(_("The scope of these tokens cannot be larger than that of your token."))
        return Response(json_web_tokens.new_pair(user, scope), status=201)


class RefreshTokenView(APIView):
    permission_classes = [AnyoneMayPost]
    methods_for_reading = ("POST",)

    @extend_schema(request=RefreshTokenSerializer, responses=TokenPairSerializer)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair. It works once: used again, it ends the pair, since it was stolen."""
        return Response(json_web_tokens.refreshed(_refresh_token(request)))


class RevokeTokenPairView(APIView):
    permission_classes = [AnyoneMayPost]
    methods_for_reading = ("POST",)

    @extend_schema(request=RefreshTokenSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Revoke a pair by its refresh token: its access token is refused from now on, too."""
        json_web_tokens.revoke(_refresh_token(request))
        return Response(status=204)


class TicketView(APIView):
    permission_classes = [IsAuthenticated]
    methods_for_reading = ("POST",)

    @extend_schema(request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Create a ticket for one WebSocket: open it with `?ticket=...` within 60 seconds."""
        ticket = tickets.new_ticket(credential_of_request(request))
        return Response({"ticket": ticket, "expires_in": round(tickets.LIFETIME.total_seconds())}, status=201)


def _refresh_token(request: Request) -> str:
    body = RefreshTokenSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return str(body.validated_data["refresh"])


def _owner(request: Request, facts: dict[str, Any]) -> User:
    """The user of the name and password in the body, else the one who is signed in."""
    if "username" not in facts:
        if not request.user.is_authenticated:
            raise NotAuthenticated
        return request.user
    attempt = Attempt(request._request, facts["username"])
    attempt.begin()
    user = authenticate(request._request, username=facts["username"], password=facts.get("password", ""))
    if not isinstance(user, User):
        raise AuthenticationFailed(_("The name or the password is wrong."))
    attempt.was_right()
    if has_second_factor(user):
        raise Forbidden(_("Your account has a second factor: send a personal token instead of the password."))
    return user
