"""The API of presets: their versions, import and export."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from engine.interface.json_types import JsonObject
from presets.config.serializers import with_notes
from presets.library import exchange, serializers
from presets.library import from_onetrainer as onetrainer_presets
from presets.library import verbs as library
from presets.models import Preset
from web.api.filters import FieldFilter, FilteredLists, Order, Search
from web.api.parameters import KnownParameters, whole_number
from web.api.parsers import StrictJSONParser
from web.api.serializers import read_body
from web.errors import BadInput, NotFound
from web.ids import as_uuid
from web.limits.bodies import takes_body

logger = logging.getLogger(__name__)
MOST_VERSIONS = 2**31 - 1
MOST_FILES = 500
DETAIL = serializers.PresetDetailSerializer
BINARY = {"type": "string", "format": "binary"}
FILE_UPLOAD = {"type": "object", "properties": {"file": {"type": "array", "items": BINARY}}, "required": ["file"]}


class PresetViewSet(KnownParameters, FilteredLists, mixins.DestroyModelMixin, ReadOnlyModelViewSet):
    """Presets: named partial configs with all their versions."""

    queryset = Preset.objects.select_related("owner")
    serializer_class = serializers.PresetSerializer
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "name": ("name", "The exact name."),
        "owner": ("owner__username", "The owner's user name."),
        "archived": ("archived", "true or false."),
        "source": ("source", "user, shipped or onetrainer."),
        "favourite": ("is_favourite", "true or false."),
    }
    search_fields = ["name", "description", "config"]
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name"]

    def get_queryset(self) -> QuerySet[Preset]:
        mine = Preset.favourite_of.through.objects.filter(preset=OuterRef("pk"), user_id=self.request.user.pk)
        return Preset.objects.select_related("owner").annotate(is_favourite=Exists(mine))

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        """All presets, with OneTrainer's own if OneTrainer is configured."""
        onetrainer_presets.sync()
        return super().list(request, *args, **kwargs)

    def get_serializer_class(self) -> Any:
        return DETAIL if self.action == "retrieve" else self.serializer_class

    def read(self, partial: bool = False) -> JsonObject:
        """The request's validated body."""
        return read_body(self.request, serializers.PresetChangeSerializer, partial)

    def detail_of(self, preset: Preset, status: int = 200, sent: Any = None) -> Response:
        answer = DETAIL(self.get_queryset().get(pk=preset.pk)).data
        return Response(with_notes(answer, sent), status=status)

    @extend_schema(request=serializers.PresetChangeSerializer, responses={201: DETAIL})
    def create(self, request: Request) -> Response:
        """Create a preset; of its config, only the fields that differ from the engine's defaults are saved."""
        facts = self.read()
        return self.detail_of(library.create_preset(facts, by=request.user), 201, facts["config"])

    @extend_schema(request=serializers.PresetChangeSerializer(partial=True), responses=DETAIL)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a preset; a config in the request becomes its next version."""
        changes = self.read(partial=True)
        preset = library.change_preset(self.get_object(), changes, by=request.user)
        return self.detail_of(preset, sent=changes.get("config"))

    @extend_schema(responses={200: serializers.SuccessSerializer, 204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a preset; if runs were made from it, it is archived instead, and the response says so."""
        preset = self.get_object()
        if library.remove(preset):
            logger.info("%s deleted the preset %s.", request.user, preset.name)
            return Response(status=204)
        message = _("“%(preset)s” was archived instead of deleted, since runs were made from it.") % {
            "preset": preset.name
        }
        return Response({"success": True, "message": message})

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
        version = library.find_version(self.get_object(), int(number))
        return Response(serializers.PresetVersionDetailSerializer(version).data)

    @extend_schema(request=serializers.RevertSerializer, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def revert(self, request: Request, pk: str) -> Response:
        """Restore an earlier version by saving it as the newest version; no version is lost."""
        body = read_body(request, serializers.RevertSerializer)
        return self.detail_of(library.revert(self.get_object(), body["version"], by=request.user))

    @extend_schema(request=None, responses={201: DETAIL})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: str) -> Response:
        """Copy a preset into one of your own."""
        return self.detail_of(library.duplicate(self.get_object(), by=request.user), status=201)

    @extend_schema(methods=["POST"], request=None, responses=DETAIL)
    @extend_schema(
        methods=["DELETE"], responses={204: OpenApiResponse(description="The preset is not a favourite any more.")}
    )
    @action(detail=True, methods=["post", "delete"])
    def favourite(self, request: Request, pk: str) -> Response:
        """Mark a preset as your favourite, or remove the mark with DELETE; favourites come first in your lists."""
        preset = self.get_object()
        library.set_favourite(preset, request.user, request.method == "POST")
        return self.detail_of(preset) if request.method == "POST" else Response(status=204)

    @extend_schema(
        responses=serializers.PresetDiffSerializer,
        parameters=[
            OpenApiParameter(
                "before", int, description="A version, or 0 for the defaults; if left out, the version before `after`."
            ),
            OpenApiParameter("after", int, description="A version; if left out, the newest."),
            OpenApiParameter(
                "run", str, description="A run's id, instead of `before`: the version that the run was made from."
            ),
        ],
    )
    @action(detail=True)
    def diff(self, request: Request, pk: str) -> Response:
        """List the settings in which two versions differ."""
        preset = self.get_object()
        after = whole_number(request, "after", preset.version, 0, MOST_VERSIONS)
        used = self._version_of_run(preset, request.query_params.get("run"))
        before = whole_number(request, "before", max(0, after - 1), 0, MOST_VERSIONS) if used is None else used
        return Response({"before": before, "after": after, "changes": library.versions_between(preset, before, after)})

    def _version_of_run(self, preset: Preset, run_id: str | None) -> int | None:
        if not run_id:
            return None
        runs = preset.runs.filter(pk=run_id) if as_uuid(run_id) else preset.runs.none()
        run = runs.select_related("preset_version").first()
        if run is None or run.preset_version is None:
            raise NotFound(_("This preset has no such run: see the preset's runs."))
        return run.preset_version.number

    @extend_schema(
        responses=serializers.PresetFileSerializer,
        parameters=[
            OpenApiParameter(
                "form",
                str,
                enum=["site", "onetrainer"],
                description="onetrainer: a file that the OneTrainer desktop program opens.",
            )
        ],
    )
    @action(detail=True)
    def export(self, request: Request, pk: str) -> Response:
        """Export a preset as a file for `import`, or for OneTrainer."""
        preset = self.get_object()
        form = request.query_params.get("form") or "site"
        if form not in ("site", "onetrainer"):
            raise BadInput(_("form must be site or onetrainer."), {"form": [_("It must be site or onetrainer.")]})
        content = exchange.to_onetrainer(preset.config) if form == "onetrainer" else exchange.to_file([preset])
        name = preset.name.rpartition("/")[2] if form == "onetrainer" else preset.name.replace("/", " ")
        return _as_file(content, f"{name}.json")

    @extend_schema(responses=serializers.PresetFileSerializer, operation_id="presets_export_all")
    @action(detail=False, url_path="export", url_name="export-all", filter_backends=[FieldFilter, Search])
    def export_all(self, request: Request) -> Response:
        """Export all presets, or those that match the filters, as one file for `import`."""
        return _as_file(exchange.to_file(self.filter_queryset(self.get_queryset()).order_by("name")), "presets.json")

    @extend_schema(
        request={"application/json": serializers.PresetFileSerializer, "multipart/form-data": FILE_UPLOAD},
        responses=serializers.ImportedSerializer,
        parameters=[OpenApiParameter("folder", str, description="The folder for presets from OneTrainer's files.")],
    )
    @takes_body("FILES_BODY_BYTES")
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[StrictJSONParser, MultiPartParser])
    def import_file(self, request: Request) -> Response:
        """Import presets from exports of this API, from config files, or from a zip of these files.

        Config files are OneTrainer's of any version, or those of kohya's sd-scripts (TOML, JSON), ai-toolkit (YAML,
        JSON) and SimpleTuner (JSON), which are translated; `notes` lists all that was left out.

        A preset from a config file gets the file's name, and within a zip also its folder. An existing preset of the
        same name gets a new version; if that preset comes with a program, the whole import is refused. Either all
        presets are imported, or none.
        """
        folder = request.query_params.get("folder", "")
        uploaded = [
            preset for name, content in _uploaded(request) for preset in exchange.from_upload(name, content, folder)
        ]
        exchange.refuse_twins(uploaded)
        with transaction.atomic():
            saved = [exchange.save_imported(item, by=request.user).preset for item in uploaded]
        notes = [{"name": item.name, "notes": item.notes} for item in uploaded if item.notes]
        return Response(
            {
                "success": True,
                "message": _("Imported %(saved)s presets.") % {"saved": len(saved)},
                "presets": serializers.PresetSerializer(
                    self.get_queryset().filter(pk__in=[p.pk for p in saved]), many=True
                ).data,
                "notes": notes,
            }
        )


def _uploaded(request: Request) -> list[tuple[str, bytes]]:
    """(name, content) of each file in a form, or of the JSON body itself."""
    if request.content_type == "application/json":
        name = request.query_params.get("name") or "the request"
        return [(f"{name}.json", json.dumps(request.data).encode())]
    files = request.FILES.getlist("file")
    if not files:
        raise BadInput(_("Send the file in the form's field “file”."), {"file": [_("Send a file.")]})
    return exchange.read_uploads(files)


def _as_file(content: JsonObject, name: str) -> Response:
    return Response(content, headers={"Content-Disposition": content_disposition_header(True, name)})
