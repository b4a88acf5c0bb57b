"""Uploads of base models in pieces, by the tus protocol 1.0.0 (creation, termination, checksum)."""

from __future__ import annotations

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from presets.base_models import uploads
from training.base_models.serializers import ModelUploadSerializer
from web.api import tus
from web.api.tus import check_version, metadata, number
from web.guard.rates import often
from web.limits.bodies import takes_body
from web.permissions import OnlyTrainers

LENGTH = OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, description="The file's size in bytes.")
NAME = OpenApiParameter(
    "Upload-Metadata", str, OpenApiParameter.HEADER, description="`filename` with its value in base64."
)
OFFSET = OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, description="Where this piece begins.")
BEGUN = OpenApiResponse(description="`Location` is the upload.")
CHECKSUM = OpenApiParameter(
    "Upload-Checksum", str, OpenApiParameter.HEADER, description="`sha256`, a space, and it in base64."
)


@often
class ModelUploadsView(tus.TusView):
    permission_classes = [OnlyTrainers]
    most_bytes = uploads.MOST_BYTES

    @extend_schema(request=None, parameters=[LENGTH, NAME], responses={201: BEGUN})
    def post(self, request: Request) -> Response:
        """Begin the resumable upload of a .safetensors or .gguf file into the site's `models` (tus: creation)."""
        check_version(request)
        upload = uploads.begin(metadata(request).get("filename", ""), number(request, "Upload-Length"), request.user)
        location = request.build_absolute_uri(reverse("api:model-upload", kwargs={"pk": upload.id}))
        return Response(status=201, headers={"Location": location, "Upload-Offset": "0"})


@often
@takes_body("PIECE_BODY_BYTES")
class ModelUploadView(tus.TusView):
    permission_classes = [OnlyTrainers]
    most_bytes = uploads.MOST_BYTES

    @extend_schema(responses=ModelUploadSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """Your upload, and how much of it is received."""
        return Response(ModelUploadSerializer(uploads.find(pk, request.user)).data)

    @extend_schema(exclude=True)
    def head(self, request: Request, pk: str) -> Response:
        upload = uploads.find(pk, request.user)
        headers = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.size), "Cache-Control": "no-store"}
        return Response(status=200, headers=headers)

    @extend_schema(
        request={"application/offset+octet-stream": OpenApiTypes.BINARY},
        parameters=[OFFSET, CHECKSUM],
        responses={204: OpenApiResponse(description="`Upload-Offset` is where the next piece begins.")},
    )
    def patch(self, request: Request, pk: str) -> Response:
        """Send the next piece of your upload (tus: core)."""
        check_version(request)
        upload, begin = uploads.find(pk, request.user), number(request, "Upload-Offset")
        end = uploads.append(upload, begin, request._request, tus.checksum(request), request.user)
        return Response(status=204, headers={"Upload-Offset": str(end)})

    @extend_schema(responses={204: OpenApiResponse(description="Cancelled; its bytes are deleted.")})
    def delete(self, request: Request, pk: str) -> Response:
        """Cancel your upload (tus: termination)."""
        uploads.cancel(uploads.find(pk, request.user))
        return Response(status=204)
