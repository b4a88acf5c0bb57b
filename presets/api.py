"""The API of configs and presets."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

from django.db import transaction
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from presets import configs, library, serializers
from presets.errors import BadInput
from presets.exchange import from_file, save_imported, to_file, without_secrets
from presets.filters import FieldFilter, FilteredLists, Order, Search
from presets.models import Preset
from presets.parameters import whole_number
from presets.parsers import StrictJSONParser
from presets.schemas import served
from presets.serializers import (
    ConfigNamesSerializer,
    SavedPresetSerializer,
)

logger = logging.getLogger(__name__)
MOST_VERSIONS = 2**31 - 1
DETAIL = serializers.PresetDetailSerializer
FILE_UPLOAD = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
A_CONFIG = OpenApiTypes.OBJECT
ENGINE = OpenApiParameter("engine", str, description="Which trainer; `builtin` where it is left out.")
NAME = OpenApiParameter(
    "name", str, OpenApiParameter.PATH, description="May hold one folder: `SDXL%2FLoRA%2016GB`, or with a plain `/`."
)


def engine_of(request: Request) -> str:
    return request.query_params.get("engine") or "builtin"


def config_in(request: Request) -> dict[str, Any]:
    """The config that is the request's body, or that lies in it under `config`."""
    body = request.data
    if isinstance(body, dict) and isinstance(body.get("config"), dict):
        body = body["config"]
    if not isinstance(body, dict):
        raise BadInput("Send a config: a JSON object with OneTrainer's field names.")
    return body


class ConfigListView(APIView):
    @extend_schema(responses=ConfigNamesSerializer)
    def get(self, request: Request) -> Response:
        """The names of all presets."""
        return Response({"configs": list(Preset.objects.listed().values_list("name", flat=True))})


class LoadConfigView(APIView):
    @extend_schema(responses=A_CONFIG, parameters=[NAME, ENGINE])
    def get(self, request: Request, name: str) -> Response:
        """A preset's full config: the defaults with the preset over them."""
        preset = library.find_preset(name)
        return Response(without_secrets(configs.full_config(engine_of(request), preset.config)))


class SaveConfigView(APIView):
    @extend_schema(request=A_CONFIG, responses=SavedPresetSerializer, parameters=[NAME, ENGINE])
    def post(self, request: Request, name: str) -> Response:
        """Save a config as a preset, or as a new version of the one that has the name already."""
        preset = library.save_preset(name, config_in(request), by=request.user, engine=engine_of(request))
        message = f"Saved as version {preset.version} of “{name}”."
        return Response({"success": True, "message": message, "name": name, "version": preset.version})


class ConfigSchemaView(APIView):
    @extend_schema(responses={200: dict[str, Any]}, parameters=[ENGINE])
    def get(self, request: Request) -> HttpResponse:
        """The JSON Schema (draft 2020-12) of a config, from memory; with its ETag, a client need not load it again.

        Its own keys tell an editor where a field stands (`x-tab`, `x-section`, `x-order`, `x-advanced`), what it is
        (`x-unit`, `x-kind`, `x-labels`), what the engine does of it (`x-supported`, `x-note`), and when it matters:
        `x-applies` maps dotted paths to values, and all must hold; a path that begins with ./ is a neighbour's.
        """
        schema = served(engine_of(request))
        answer = HttpResponse(schema.content, content_type="application/json", headers={"ETag": schema.etag})
        answer["Cache-Control"] = "private, no-cache"
        return cast(HttpResponse, get_conditional_response(request, etag=schema.etag, response=answer))


class ConfigDefaultsView(APIView):
    @extend_schema(responses=A_CONFIG, parameters=[ENGINE])
    def get(self, request: Request) -> Response:
        """A full config with the engine's defaults."""
        return Response(without_secrets(configs.defaults(engine_of(request))))


class PresetViewSet(FilteredLists, mixins.DestroyModelMixin, ReadOnlyModelViewSet):
    """Named partial configs, with all their versions."""

    queryset = Preset.objects.select_related("owner")
    serializer_class = serializers.PresetSerializer
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "name": ("name", "A whole name."),
        "owner": ("owner__username", "A user's name."),
        "archived": ("archived", "true or false."),
    }
    search_fields = ["name", "description"]
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name"]

    def get_serializer_class(self) -> Any:
        return DETAIL if self.action == "retrieve" else self.serializer_class

    def read(self, partial: bool = False) -> dict[str, Any]:
        """The request's body, checked."""
        asked = serializers.PresetChangeSerializer(data=self.request.data, partial=partial)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    @extend_schema(request=serializers.PresetChangeSerializer, responses={201: DETAIL})
    def create(self, request: Request) -> Response:
        """Make a preset; only what differs from the engine's defaults is kept of its config."""
        return Response(DETAIL(library.create_preset(self.read(), by=request.user)).data, status=201)

    @extend_schema(request=serializers.PresetChangeSerializer(partial=True), responses=DETAIL)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a preset; a config that is sent becomes its next version."""
        return Response(DETAIL(library.change_preset(self.get_object(), self.read(partial=True), by=request.user)).data)

    def perform_destroy(self, preset: Preset) -> None:
        logger.info("%s deleted the preset %s.", self.request.user, preset.name)
        preset.delete()

    @extend_schema(responses=serializers.PresetVersionSerializer(many=True), filters=False)
    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """All versions, newest first."""
        self.ordering, self.ordering_fields = ["-number"], []
        page = self.paginate_queryset(self.get_object().versions.select_related("created_by"))
        return self.get_paginated_response(serializers.PresetVersionSerializer(page, many=True).data)

    @extend_schema(
        responses=serializers.PresetVersionDetailSerializer,
        parameters=[OpenApiParameter("number", int, OpenApiParameter.PATH)],
    )
    @action(detail=True, url_path="versions/(?P<number>[0-9]{1,9})", url_name="version")
    def version(self, request: Request, pk: str, number: str) -> Response:
        """One version with its config."""
        found = library.find_version(self.get_object(), int(number))
        return Response(serializers.PresetVersionDetailSerializer(found).data)

    @extend_schema(
        responses=serializers.PresetDiffSerializer,
        parameters=[
            OpenApiParameter(
                "before", int, description="A version, 0 for the defaults; the one before `after` without it."
            ),
            OpenApiParameter("after", int, description="A version; the newest without it."),
        ],
    )
    @action(detail=True)
    def diff(self, request: Request, pk: str) -> Response:
        """The settings in which two versions differ."""
        preset = self.get_object()
        after = whole_number(request, "after", preset.version, 0, MOST_VERSIONS)
        before = whole_number(request, "before", max(0, after - 1), 0, MOST_VERSIONS)
        return Response({"before": before, "after": after, "changes": library.versions_between(preset, before, after)})

    @extend_schema(responses=serializers.PresetFileSerializer)
    @action(detail=True)
    def export(self, request: Request, pk: str) -> Response:
        """A file that `import` reads."""
        preset = self.get_object()
        return _as_file(to_file([preset]), f"{preset.name.replace('/', ' ')}.json")

    @extend_schema(responses=serializers.PresetFileSerializer, operation_id="presets_export_all")
    @action(detail=False, url_path="export", url_name="export-all", filter_backends=[FieldFilter, Search])
    def export_all(self, request: Request) -> Response:
        """All presets, or those that the filters leave, in one file that `import` reads."""
        return _as_file(to_file(self.filter_queryset(self.get_queryset()).order_by("name")), "presets.json")

    @extend_schema(
        request={"application/json": serializers.PresetFileSerializer, "multipart/form-data": FILE_UPLOAD},
        responses=serializers.ImportedSerializer,
    )
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[StrictJSONParser, MultiPartParser])
    def import_file(self, request: Request) -> Response:
        """Read presets from what `export` gave, or from a config file of OneTrainer's, which gives the preset its name.

        A preset whose name there is already gets a new version. Either all of a file's presets are taken, or none.
        """
        filename, content = _uploaded(request)
        found = from_file(filename, content)
        with transaction.atomic():
            saved = [save_imported(item, by=request.user).preset for item in found]
        return Response(
            {
                "success": True,
                "message": f"Imported {len(saved)} presets.",
                "presets": serializers.PresetSerializer(saved, many=True).data,
            }
        )


def _uploaded(request: Request) -> tuple[str, bytes]:
    """Name and content of the file in a form, or of the JSON that is the body itself."""
    if request.content_type == "application/json":
        name = request.query_params.get("name") or "the request"
        return f"{name}.json", json.dumps(request.data).encode()
    file = request.FILES.get("file")
    if file is None:
        raise BadInput("Send the file in the form's field “file”.", {"file": ["Send a file."]})
    if file.size > configs.MAX_CONFIG_BYTES:
        raise BadInput(f"{file.name} is larger than {configs.MAX_CONFIG_BYTES // 1_000_000} MB: this is no preset.")
    return file.name, file.read()


def _as_file(content: dict[str, Any], name: str) -> Response:
    return Response(content, headers={"Content-Disposition": content_disposition_header(True, name)})
