"""The API of hosts and workers."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from engine.launcher import EngineProcess
from presets.errors import NotFound
from presets.filters import FieldFilter, Order, Search
from system.models import Worker
from system.resources import host_info, host_resources, process_info
from system.serializers import HostInfoSerializer, HostResourcesSerializer, ProcessSerializer, WorkerSerializer
from training.models import Run


class InfoView(APIView):
    @extend_schema(responses=HostInfoSerializer)
    def get(self, request: Request) -> Response:
        """What the web server's host has."""
        return Response(host_info())


class ResourcesView(APIView):
    @extend_schema(responses=HostResourcesSerializer)
    def get(self, request: Request) -> Response:
        """How much of the web server's host is in use."""
        return Response(host_resources())


class ProcessesView(APIView):
    @extend_schema(responses={200: ProcessSerializer, 404: OpenApiResponse(description="None runs on this host.")})
    def get(self, request: Request) -> Response:
        """The training process of the active run; 404 where none runs on the web server's host."""
        run = Run.objects.active().first()
        process = EngineProcess.find(run.attempt_folder) if run else None
        facts = process_info(process.identity.pid) if process else None
        if facts is None:
            raise NotFound("No training process runs on this host: start a run, or ask again in a moment.")
        return Response(facts)


class WorkerViewSet(ReadOnlyModelViewSet):
    """The processes that train: one for each GPU."""

    queryset = Worker.objects.prefetch_related("runs")
    serializer_class = WorkerSerializer
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "status": ("status", "idle, busy, draining or offline."),
        "host": ("host", "The host's name."),
    }
    search_fields = ["name", "host", "device_name"]
    ordering_fields = ["name", "host", "status", "started_at", "heartbeat_at"]
    ordering = ["name"]
