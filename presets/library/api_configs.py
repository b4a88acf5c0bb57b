"""The API of configs."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.schemas import served
from presets.library import from_onetrainer as onetrainer_presets
from presets.library import verbs as library
from presets.library.serializers import ConfigNamesSerializer, SavedPresetSerializer
from presets.models import Preset
from web.api.parameters import KnownParameters
from web.errors import BadInput

A_CONFIG = OpenApiTypes.OBJECT
ENGINE = OpenApiParameter("engine", str, description="The trainer; if left out, `builtin`.")
NAME = OpenApiParameter(
    "name",
    str,
    OpenApiParameter.PATH,
    description="The preset's name, which may contain a folder: `SDXL%2FLoRA%2016GB`, or with a plain `/`.",
)


def engine_of(request: Request) -> str:
    """The requested engine; waits a moment if the engine's settings are being read."""
    engine = request.query_params.get("engine") or "builtin"
    configs.give_time(engine)
    return engine


def config_in(request: Request) -> JsonObject:
    """The config, which is the request's body or its key `config`."""
    body = request.data
    if isinstance(body, dict) and "config" in body:
        body = body["config"]
        if not isinstance(body, dict):
            sentence = _("It must be a JSON object with OneTrainer's field names.")
            raise BadInput(f"config: {sentence}", {"config": [sentence]})
    if not isinstance(body, dict):
        raise BadInput(_("Send a config: a JSON object with OneTrainer's field names."))
    return body


class ConfigListView(KnownParameters, APIView):
    @extend_schema(responses=ConfigNamesSerializer)
    def get(self, request: Request) -> Response:
        """List the names of all presets."""
        onetrainer_presets.sync()
        return Response({"configs": list(Preset.objects.listed().values_list("name", flat=True))})


class LoadConfigView(KnownParameters, APIView):
    @extend_schema(responses=A_CONFIG, parameters=[NAME, ENGINE])
    def get(self, request: Request, name: str) -> Response:
        """Return a preset's full config: the defaults merged with the preset."""
        preset = library.find_preset(name)
        return Response(without_secrets(configs.full_config(engine_of(request), preset.config)))


class SaveConfigView(APIView):
    @extend_schema(request=A_CONFIG, responses=SavedPresetSerializer, parameters=[NAME, ENGINE])
    def post(self, request: Request, name: str) -> Response:
        """Save a config as a preset, or as a new version of an existing preset of this name."""
        config = config_in(request)
        preset = library.save_preset(name, config, by=request.user, engine=engine_of(request))
        message = _("Saved as version %(version)s of “%(name)s”.") % {"version": preset.version, "name": name}
        if configs.secret_fields(config):
            message += _(" Its tokens were left out: set yours on the account page.")
        return Response({"success": True, "message": message, "name": name, "version": preset.version})


class ConfigSchemaView(KnownParameters, APIView):
    @extend_schema(responses={200: dict[str, Any]}, parameters=[ENGINE])
    def get(self, request: Request) -> HttpResponse:
        """Return the JSON Schema (draft 2020-12) of a config; clients can cache it by its ETag.

        Additional keys are for editors: a field's place (`x-tab`, `x-section`, `x-order`, `x-advanced`), its form
        (`x-unit`, `x-kind`, `x-labels`), the engine's support (`x-supported`, `x-note`), and when the field applies:
        `x-applies` maps dotted paths to values, which all must match; a path that begins with ./ is a sibling's.
        `x-void` is the value `at` which the field makes the training void, alone or with all others of its `sum`.
        """
        schema = served(engine_of(request))
        answer = HttpResponse(schema.content, content_type="application/json", headers={"ETag": schema.etag})
        answer["Cache-Control"] = "private, no-cache"
        return cast(HttpResponse, get_conditional_response(request, etag=schema.etag, response=answer))


class ConfigDefaultsView(KnownParameters, APIView):
    @extend_schema(responses=A_CONFIG, parameters=[ENGINE])
    def get(self, request: Request) -> Response:
        """Return a full config with the engine's defaults."""
        return Response(without_secrets(configs.defaults(engine_of(request))))
