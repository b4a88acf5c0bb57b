"""The API of the queue."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from training.api.queue_serializers import QueuePlanSerializer, QueueSerializer
from training.models import Run
from training.queue.board import read_queue
from training.queue.service import QueueService
from web.api.parameters import KnownParameters
from web.api.serializers import read_body


class QueueView(KnownParameters, APIView):
    @extend_schema(responses=QueueSerializer)
    def get(self, request: Request) -> Response:
        """The run of each worker, and the waiting runs in the order of their start, with reasons and times."""
        return Response(QueueSerializer(read_queue()).data)


class QueuedRunView(APIView):
    @extend_schema(request=QueuePlanSerializer, responses=QueueSerializer)
    def patch(self, request: Request, pk: str) -> Response:
        """Move a waiting run, hold it, or plan its start; 409 if the run is not waiting."""
        run, service = get_object_or_404(Run, pk=pk), QueueService(request.user)
        plan = read_body(request, QueuePlanSerializer)
        position = plan.pop("position", None)
        if plan:
            service.plan_run(run, plan)
        if position:
            service.move_to_position(run, position)
        return Response(QueueSerializer(read_queue()).data)
