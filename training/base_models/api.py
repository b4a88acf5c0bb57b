"""The API of base models: the list, the fetches, and deleting."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.base_models import requests
from presets.models import ModelFetch
from training.base_models.removal import remove
from training.base_models.serializers import (
    BaseModelsSerializer,
    DeletionSerializer,
    FetchRequestSerializer,
    FetchSerializer,
)
from training.base_models.shelf import delete_model, shelves
from web.api.parameters import KnownParameters
from web.api.serializers import read_body
from web.permissions import OnlyTrainers


class BaseModelsView(KnownParameters, APIView):
    permission_classes = [OnlyTrainers]  # it names folders of the server

    @extend_schema(responses=BaseModelsSerializer)
    def get(self, request: Request) -> Response:
        """The known base models with size, licence, memory and files on the disk, and all others on this machine."""
        families = shelves([])
        known = [row for family in families for row in family.rows]
        others = [model for family in families for model in family.others]
        return Response(BaseModelsSerializer({"known": known, "others": others}).data)

    @extend_schema(request=DeletionSerializer, responses={204: None}, operation_id="base_models_delete")
    def delete(self, request: Request) -> Response:
        """Delete a model from the disk; 409 if a queued or active run needs it."""
        delete_model(read_body(request, DeletionSerializer)["name"])
        return Response(status=204)


class FetchesView(KnownParameters, APIView):
    @extend_schema(responses=FetchSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The fetches: open ones in their order, then the ended ones."""
        return Response(FetchSerializer(requests.recent(), many=True).data)

    @extend_schema(request=FetchRequestSerializer, responses={202: FetchSerializer})
    def post(self, request: Request) -> Response:
        """Fetch a base model by its name on the hub or by an address; an open fetch of the same is returned."""
        row = requests.request_fetch(user=request.user, **read_body(request, FetchRequestSerializer))
        return Response(FetchSerializer(row).data, status=202)


class FetchView(KnownParameters, APIView):
    @extend_schema(responses=FetchSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The progress of a fetch."""
        return Response(FetchSerializer(_find(pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """Remove an ended fetch from the list, with its partial files."""
        remove(_find(pk))
        return Response(status=204)


class CancelFetchView(APIView):
    @extend_schema(request=None, responses=FetchSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Cancel a fetch; the fetched part is kept."""
        row = _find(pk)
        requests.cancel(row)
        return Response(FetchSerializer(row).data)


class ContinueFetchView(APIView):
    @extend_schema(request=None, responses={202: FetchSerializer})
    def post(self, request: Request, pk: str) -> Response:
        """Fetch the rest after a failure or a cancellation; the answer is the new fetch."""
        return Response(FetchSerializer(requests.continue_fetch(_find(pk), request.user)).data, status=202)


def _find(pk: str) -> ModelFetch:
    return get_object_or_404(ModelFetch.objects.get_queryset(), pk=pk)
