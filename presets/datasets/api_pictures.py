"""The API of a data set's pictures: listed, sent in one call, shown, changed and removed."""

from __future__ import annotations

import uuid

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.datasets import serializers, uploads, verbs
from presets.datasets.api import find
from presets.datasets.files import path_of
from presets.datasets.intake import refuse_references
from presets.datasets.listing import ORDERS, SHAPES, SHOWS, Choice, pictures
from presets.datasets.space import NoSpace
from presets.models import DataSet, DataSetPicture, DataSetUpload
from web.api.parameters import KnownParameters, whole_number
from web.api.parsers import StrictJSONParser
from web.api.serializers import read_body
from web.api.tus import TooLarge
from web.errors import BadInput, NotFound
from web.limits.bodies import takes_body
from web.serving import send_file

MOST_AT_ONCE = 500
MOST_PIXELS = 1_000_000
BINARY = {"type": "string", "format": "binary"}
FILE_UPLOAD = {
    "type": "object",
    "properties": {
        "file": {"type": "array", "items": BINARY, "description": "Pictures, captions, masks or zip files."},
        "batch": {"type": "string", "maxLength": 64, "description": "Files with one batch become one version."},
        "keep_original": {"type": "boolean", "description": "Keep the file that is stored in another format."},
    },
    "required": ["file"],
}
CHOICE = [
    OpenApiParameter("q", str, description="Words in the name or the caption."),
    OpenApiParameter("tag", str, description="A text in the caption."),
    OpenApiParameter("show", str, enum=[name for name in SHOWS if name]),
    OpenApiParameter("shape", str, enum=[name for name in SHAPES if name]),
    OpenApiParameter("smaller_than", int, description="Pixels of the shorter side."),
    OpenApiParameter("order", str, enum=list(ORDERS)),
]


def choice_of(request: Request) -> Choice:
    """The chosen pictures in an address."""
    query = request.query_params
    return Choice(
        words=query.get("q", "")[:500].replace("\x00", ""),
        tag=query.get("tag", "")[:500].replace("\x00", ""),
        show=query.get("show", ""),
        shape=query.get("shape", ""),
        smaller_than=whole_number(request, "smaller_than", 0, 0, MOST_PIXELS),
        order=query.get("order") or "name",
    )


def find_picture(pk: str, picture: str) -> tuple[DataSet, DataSetPicture]:
    """Raises NotFound."""
    data_set = find(pk)
    row = data_set.pictures.filter(pk=picture).first()
    if row is None:
        raise NotFound(_("The data set has no picture with this id: it may have been removed."))
    return data_set, row


@takes_body("UPLOAD_BODY_BYTES")
class PicturesView(KnownParameters, APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="datasets_pictures_list",
        responses=serializers.PicturesSerializer,
        parameters=[
            *CHOICE,
            OpenApiParameter("offset", int, description="How many pictures to leave out at the beginning."),
            OpenApiParameter("limit", int, description=f"At most {MOST_AT_ONCE}; 100 if left out."),
        ],
    )
    def get(self, request: Request, pk: str) -> Response:
        """A part of the data set's pictures, filtered and in an order."""
        data_set = find(pk)
        rows = pictures(data_set, choice_of(request))
        offset = whole_number(request, "offset", 0, 0, 10**9)
        limit = whole_number(request, "limit", 100, 0, MOST_AT_ONCE)
        body = {"total": rows.count(), "version": data_set.version, "results": rows[offset : offset + limit]}
        return Response(serializers.PicturesSerializer(body).data)

    @extend_schema(request={"multipart/form-data": FILE_UPLOAD}, responses={201: serializers.UploadsSerializer})
    def post(self, request: Request, pk: str) -> Response:
        """Send one or more files: pictures, captions, masks or zip files.

        Each file has its own result: `done`, `duplicate`, `refused` with the reason, or `waiting` for a worker that
        converts or unpacks it, which the address of the upload then reports.
        """
        data_set, files = find(pk), request.FILES.getlist("file")
        refuse_references(data_set)
        if not files:
            sentence = _("Send at least one file in the field 'file'.")
            raise BadInput(sentence, {"file": [sentence]})
        batch = str(request.data.get("batch", ""))[:64].replace("\x00", "") or uuid.uuid4().hex
        keep = str(request.data.get("keep_original", "")).lower() in ("true", "1", "on")
        rows = [_receive(data_set, request, file, batch, keep) for file in files]
        return Response(serializers.UploadsSerializer({"results": rows}).data, status=201)


def _receive(data_set: DataSet, request: Request, file: UploadedFile, batch: str, keep: bool) -> DataSetUpload:
    """Take one file in; a file that is refused does not stop the others."""
    name, size = (file.name or "").replace("\x00", ""), file.size or 0
    try:
        upload = uploads.begin(data_set, request.user, name, size, batch=batch, keep_original=keep)
    except (BadInput, TooLarge, NoSpace) as error:
        refused = DataSetUpload.Status.REFUSED
        return data_set.uploads.create(
            user=request.user, filename=name[:1000], size=size, batch=batch, status=refused, detail=str(error)[:500]
        )
    uploads.append(upload, 0, file)
    return upload


class PictureIdsView(KnownParameters, APIView):
    @extend_schema(responses=serializers.PictureIdsSerializer, parameters=CHOICE)
    def get(self, request: Request, pk: str) -> Response:
        """The ids of all chosen pictures in their order, to change them together."""
        return Response({"ids": list(pictures(find(pk), choice_of(request)).values_list("pk", flat=True))})


class PictureView(KnownParameters, APIView):
    parser_classes = (StrictJSONParser,)

    @extend_schema(responses=serializers.PictureSerializer)
    def get(self, request: Request, pk: str, picture: str) -> Response:
        """One picture of a data set."""
        return Response(serializers.PictureSerializer(find_picture(pk, picture)[1]).data)

    @extend_schema(request=serializers.PictureChangeSerializer, responses=serializers.PictureSerializer)
    def patch(self, request: Request, pk: str, picture: str) -> Response:
        """Change a picture's caption or name, or exclude it from training; each is a version."""
        data_set, row = find_picture(pk, picture)
        facts = read_body(request, serializers.PictureChangeSerializer, partial=True)
        if "caption" in facts:
            verbs.set_caption(data_set, row.pk, facts["caption"], request.user)
        if "excluded" in facts:
            verbs.exclude(data_set, [row.pk], facts["excluded"], request.user)
        if "name" in facts:
            version = verbs.rename_picture(data_set, row.pk, facts["name"], request.user)
            added = version and version.changes.filter(before__isnull=True).first()
            row = data_set.pictures.get(name=added.name) if added else row
        row.refresh_from_db()
        return Response(serializers.PictureSerializer(row).data)

    @extend_schema(responses={204: OpenApiResponse(description="Removed; undo brings it back.")})
    def delete(self, request: Request, pk: str, picture: str) -> Response:
        """Remove a picture with its caption and mask."""
        data_set, row = find_picture(pk, picture)
        verbs.remove(data_set, [row.pk], request.user)
        return Response(status=204)


class PictureFileView(KnownParameters, APIView):
    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: str, picture: str) -> HttpResponseBase:
        """The picture's file; it takes ranges and conditions."""
        data_set, row = find_picture(pk, picture)
        return send_file(request, path_of(data_set, row.name, row.excluded))


class RemovePicturesView(APIView):
    @extend_schema(request=serializers.PicturesChosenSerializer, responses=serializers.RescanSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Remove pictures with their captions and masks, as one version; undo brings them back."""
        data_set = find(pk)
        verbs.remove(data_set, read_body(request, serializers.PicturesChosenSerializer)["pictures"], request.user)
        return Response({"version": data_set.version, "pending": 0})


class ExcludePicturesView(APIView):
    @extend_schema(request=serializers.ExcludeSerializer, responses=serializers.RescanSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Exclude pictures from training, or include them again, as one version."""
        data_set = find(pk)
        body = read_body(request, serializers.ExcludeSerializer)
        verbs.exclude(data_set, body["pictures"], body["excluded"], request.user)
        return Response({"version": data_set.version, "pending": 0})
