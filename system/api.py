"""The API of hosts and workers."""

from __future__ import annotations

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from system.models import Worker
from system.resources import host_info, host_resources
from system.serializers import (
    HostInfoSerializer,
    HostResourcesSerializer,
    WorkerChangeSerializer,
    WorkerSerializer,
)
from web.api.filters import MOST_DIGITS, FieldFilter, Order, Search
from web.api.parameters import KnownParameters
from web.api.serializers import read_body


class InfoView(APIView):
    @extend_schema(responses=HostInfoSerializer)
    def get(self, request: Request) -> Response:
        """Return the facts about the web server's host."""
        return Response(host_info())


class ResourcesView(APIView):
    @extend_schema(responses=HostResourcesSerializer)
    def get(self, request: Request) -> Response:
        """Return the present use of the web server's host."""
        return Response(host_resources())


NAMED = OpenApiParameter("id", str, OpenApiParameter.PATH, description="A worker's name, or its id.")


@extend_schema_view(retrieve=extend_schema(parameters=[NAMED]))
class WorkerViewSet(KnownParameters, ReadOnlyModelViewSet):
    """Workers, the processes that train: one for each GPU."""

    queryset = Worker.objects.prefetch_related("runs")
    serializer_class = WorkerSerializer
    lookup_value_regex = "[^/]{1,200}"
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "status": ("status", "idle, busy, draining or offline."),
        "host": ("host", "The host's name."),
    }
    search_fields = ["name", "host", "device_name"]
    ordering_fields = ["name", "host", "status", "started_at", "heartbeat_at"]
    ordering = ["name"]

    def get_object(self) -> Worker:
        key = self.kwargs["pk"]
        known = Q(pk=int(key)) if key.isdecimal() and len(key) <= MOST_DIGITS else Q(name=key)
        return get_object_or_404(self.get_queryset(), known)

    @extend_schema(request=WorkerChangeSerializer, responses=WorkerSerializer, parameters=[NAMED])
    def partial_update(self, request: Request, pk: str) -> Response:
        """Drain a worker, so that it claims no more runs, or let it claim runs again."""
        worker = self.get_object()
        body = read_body(request, WorkerChangeSerializer)
        worker.set_drain(body["drain"], by=request.user)
        return Response(self.get_serializer(self.get_object()).data)
