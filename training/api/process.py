"""The API of the training process."""

from __future__ import annotations

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.launcher import EngineProcess
from system.resources import process_info
from system.serializers import (
    ProcessSerializer,
)
from training.models import Run
from web.api.parameters import KnownParameters
from web.errors import NotFound


class ProcessesView(KnownParameters, APIView):
    @extend_schema(responses={200: ProcessSerializer, 404: OpenApiResponse(description="None runs on this host.")})
    def get(self, request: Request) -> Response:
        """The training process of the active run; 404 if it does not run on the web server's host."""
        run = Run.objects.active().first()
        process = EngineProcess.find(run.attempt_folder) if run else None
        facts = process_info(process.identity.pid) if process else None
        if facts is None:
            raise NotFound(_("No training process runs on this host: start a run, or ask again in a moment."))
        return Response(facts)
