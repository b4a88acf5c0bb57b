"""The API of what workers do beside training."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from operations.workspaces.ask import ask_for_import
from operations.workspaces.serializers import ImportRequestSerializer, ImportSerializer
from system.models import Job
from web.api.serializers import read_body


class ImportWorkspaceView(APIView):
    @extend_schema(request=ImportRequestSerializer, responses={202: ImportSerializer})
    def post(self, request: Request) -> Response:
        """Import a OneTrainer workspace on the server: a run for each training in it."""
        asked = read_body(request, ImportRequestSerializer)
        return Response(ImportSerializer(ask_for_import(user=request.user, **asked)).data, status=202)


class ImportedWorkspaceView(APIView):
    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The progress of an import, and its runs."""
        return Response(ImportSerializer(get_object_or_404(Job, pk=pk, kind=Job.Kind.IMPORT)).data)
