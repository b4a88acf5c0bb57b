"""The API of each user's own saved views of the table of runs."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from engine.interface.json_types import JsonObject
from training.api.serializers import SavedViewSerializer
from training.models import SavedView
from training.table import saved_views
from web.api.parameters import KnownParameters
from web.api.serializers import read_body


class SavedViewViewSet(KnownParameters, mixins.DestroyModelMixin, ReadOnlyModelViewSet):
    """Your saved filters and orders of the table of runs."""

    queryset = SavedView.objects.all()  # for the API's document
    serializer_class = SavedViewSerializer
    permission_classes = [IsAuthenticated]  # each user has their own views
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[SavedView]:
        return self.request.user.saved_views.all()  # type: ignore[union-attr]

    def read(self, partial: bool = False) -> JsonObject:
        """The validated request body."""
        return read_body(self.request, SavedViewSerializer, partial)

    @extend_schema(request=SavedViewSerializer, responses={201: SavedViewSerializer})
    def create(self, request: Request) -> Response:
        """Save filters and an order under a name; 409 if you already have a view of that name."""
        return Response(SavedViewSerializer(saved_views.keep(request.user, **self.read())).data, status=201)

    @extend_schema(request=SavedViewSerializer(partial=True), responses=SavedViewSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename a view, or change its filters."""
        return Response(SavedViewSerializer(saved_views.change(self.get_object(), self.read(partial=True))).data)
