"""Resumable uploads: the tus protocol 1.0.0 with its extensions creation, termination and checksum.

https://tus.io/protocols/resumable-upload. The browser's side is tus-js-client.
"""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from presets.datasets import serializers, uploads
from presets.datasets.api import find
from presets.datasets.kinds import MOST_ARCHIVE_BYTES
from presets.models import DataSetUpload
from web.api import tus
from web.api.tus import check_version, metadata, number
from web.api.tus import checksum as read_checksum
from web.errors import NotFound
from web.guard.rates import often
from web.limits.bodies import takes_body

MOST_SHOWN = 500
HEADERS = [
    OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, description="The file's size in bytes."),
    OpenApiParameter(
        "Upload-Metadata",
        str,
        OpenApiParameter.HEADER,
        description="`filename`, and if wanted `batch` and `keep_original`, each with its value in base64.",
    ),
]


@often
class TusView(tus.TusView):
    most_bytes = MOST_ARCHIVE_BYTES


class UploadsView(TusView):
    @extend_schema(
        operation_id="datasets_uploads_list",
        responses=serializers.UploadsSerializer,
        parameters=[OpenApiParameter("batch", str, description="Only files that were sent together.")],
    )
    def get(self, request: Request, pk: str) -> Response:
        """The newest uploads into a data set, with what became of each."""
        rows = find(pk).uploads.order_by("-changed_at")
        if batch := request.query_params.get("batch", "").replace("\x00", ""):
            rows = rows.filter(batch=batch)
        return Response(serializers.UploadsSerializer({"results": rows[:MOST_SHOWN]}).data)

    @extend_schema(
        request=None, parameters=HEADERS, responses={201: OpenApiResponse(description="`Location` is the upload.")}
    )
    def post(self, request: Request, pk: str) -> Response:
        """Begin a resumable upload (tus: creation)."""
        check_version(request)
        facts = metadata(request)
        upload = uploads.begin(
            find(pk),
            request.user,
            facts.get("filename", ""),
            number(request, "Upload-Length"),
            batch=facts.get("batch", "")[:64],
            keep_original=facts.get("keep_original") == "true",
        )
        location = request.build_absolute_uri(reverse("api:dataset-upload", kwargs={"pk": upload.pk}))
        if upload.size == 0:
            uploads.complete(upload)
        return Response(status=201, headers={"Location": location, "Upload-Offset": "0"})


@takes_body("PIECE_BODY_BYTES")
class UploadView(TusView):
    @extend_schema(responses=serializers.UploadSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """An upload, and what became of it."""
        return Response(serializers.UploadSerializer(_find(pk)).data)

    @extend_schema(exclude=True)
    def head(self, request: Request, pk: str) -> Response:
        upload = _find(pk)
        headers = {
            "Upload-Offset": str(upload.offset),
            "Upload-Length": str(upload.size),
            "Cache-Control": "no-store",
        }
        return Response(status=200, headers=headers)

    @extend_schema(
        request={"application/offset+octet-stream": OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, description="Where this piece begins."),
            OpenApiParameter(
                "Upload-Checksum", str, OpenApiParameter.HEADER, description="`sha256`, a space, and it in base64."
            ),
        ],
        responses={204: OpenApiResponse(description="`Upload-Offset` is where the next piece begins.")},
    )
    def patch(self, request: Request, pk: str) -> Response:
        """Send the next piece of an upload (tus: core)."""
        check_version(request)
        upload = _find(pk)
        checksum = read_checksum(request)
        uploads.append(upload, number(request, "Upload-Offset"), request._request, checksum)
        return Response(status=204, headers={"Upload-Offset": str(upload.offset)})

    @extend_schema(responses={204: OpenApiResponse(description="Cancelled; its bytes are deleted.")})
    def delete(self, request: Request, pk: str) -> Response:
        """Cancel an upload (tus: termination)."""
        uploads.cancel(_find(pk))
        return Response(status=204)


def _find(pk: str) -> DataSetUpload:
    upload = DataSetUpload.objects.filter(pk=pk, data_set__deleted_at=None).select_related("data_set", "user").first()
    if upload is None:
        raise NotFound(_("There is no such upload: it ended, or it was left for more than a week."))
    return upload
