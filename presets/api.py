"""The API of configs and presets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.engines import UnknownEngine, get_engine
from presets import configs, library
from presets.errors import BadInput
from presets.exchange import without_secrets
from presets.models import Preset
from presets.serializers import (
    ConfigNamesSerializer,
    SavedPresetSerializer,
    ValidationSerializer,
    WorkingConfigSerializer,
)

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


class CurrentConfigView(APIView):
    @extend_schema(responses=WorkingConfigSerializer)
    def get(self, request: Request) -> Response:
        """The signed-in user's working config, complete with the defaults."""
        return Response({"config": library.working_config(request.user)})

    @extend_schema(request=WorkingConfigSerializer, responses=WorkingConfigSerializer, parameters=[ENGINE])
    def put(self, request: Request) -> Response:
        """Keep a config as the working config; it may be half done."""
        return Response({"config": library.save_working_config(request.user, config_in(request), engine_of(request))})


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


class ValidateConfigView(APIView):
    permission_classes = [IsAuthenticated]  # it changes nothing

    @extend_schema(request=A_CONFIG, responses=ValidationSerializer, parameters=[ENGINE])
    def post(self, request: Request) -> Response:
        """Check a config as a start would: types, ranges, what the engine can do, and paths."""
        problems = configs.validate(config_in(request), engine_of(request))
        found: dict[bool, list[dict[str, str]]] = {True: [], False: []}
        for problem in problems:
            found[problem.is_error].append({"field": problem.field, "message": problem.message})
        return Response({"valid": not found[True], "errors": found[True], "warnings": found[False]})


class ConfigSchemaView(APIView):
    @extend_schema(responses={200: dict[str, Any]}, parameters=[ENGINE])
    def get(self, request: Request) -> Response:
        """The JSON Schema (draft 2020-12) of a config."""
        name = engine_of(request)
        try:
            return Response(get_engine(name).schema())
        except UnknownEngine as error:
            raise BadInput(str(error), {"engine": [str(error)]}) from error


class ConfigDefaultsView(APIView):
    @extend_schema(responses=A_CONFIG, parameters=[ENGINE])
    def get(self, request: Request) -> Response:
        """A full config with the engine's defaults."""
        return Response(without_secrets(configs.defaults(engine_of(request))))
