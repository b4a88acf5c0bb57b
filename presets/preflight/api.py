"""The API of checks: the quick check, and preflights by a worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.config.intake import take_in
from presets.library.api_configs import A_CONFIG, ENGINE, config_in, engine_of
from presets.models import Preflight
from presets.preflight import requests as preflight
from presets.preflight.serializers import PreflightSerializer, ValidationSerializer
from presets.preflight.waiting import AwaitsPreflight, checker_of
from web.errors import NotFound
from web.guard.rates import costly

QUICK = OpenApiParameter(
    "preflight", bool, description="false leaves out the worker's part of the check, which can take seconds."
)


def by_severity(problems: Iterable[Problem]) -> JsonObject:
    """Errors and warnings in separate lists, each with its field."""
    lists: dict[bool, list[dict[str, str]]] = {True: [], False: []}
    for problem in problems:
        lists[problem.is_error].append({"field": problem.field, "message": problem.message})
    return {"valid": not lists[True], "errors": lists[True], "warnings": lists[False]}


class ValidateConfigView(AwaitsPreflight):
    permission_classes = [IsAuthenticated]  # the check changes nothing
    methods_for_reading = ("POST",)

    @extend_schema(request=A_CONFIG, responses=ValidationSerializer, parameters=[ENGINE, QUICK])
    def post(self, request: Request) -> Response:
        """Check a config as a start does: types, ranges, the engine's support, paths, and a worker's findings.

        If the quick part finds no error and a worker lives, that worker checks base model, pictures, captions, disk
        and memory. The response waits some seconds for it; after that, `preflight` has the id to request it by. A
        config whose check failed, or has no result yet, is not `valid`: an error without a field says why. Without a
        worker, a warning says that the files were not checked.
        """
        taken, engine = take_in(config_in(request)), engine_of(request)
        config, notes = taken.config, taken.notes
        if request.query_params.get("preflight", "").lower() in ("false", "0", "no"):
            return Response(by_severity([*notes, *configs.validate(config, engine)]))
        problems, check = preflight.whole_check(request.user, config, engine, checker_of(request))
        problems = [*notes, *problems]
        if check is None:
            return Response(by_severity([*problems, *preflight.unchecked(problems)]))
        late = preflight.unanswered(check)
        answer = by_severity([*problems, Problem("", late)] if late else problems)
        return Response(answer | {"preflight": PreflightSerializer(check).data})


@costly
class StartPreflightView(APIView):
    @extend_schema(request=A_CONFIG, responses={202: PreflightSerializer}, parameters=[ENGINE])
    def post(self, request: Request) -> Response:
        """Ask a worker to check a config; responds at once with the preflight's id."""
        config, engine = take_in(config_in(request)).config, engine_of(request)
        configs.refuse_errors(configs.validate(config, engine))
        return Response(PreflightSerializer(preflight.request(request.user, config, engine)).data, status=202)


class PreflightView(APIView):
    @extend_schema(responses=PreflightSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """Return a preflight's progress or findings."""
        return Response(PreflightSerializer(find(request.user, pk)).data)


def find(user: User, pk: str | uuid.UUID) -> Preflight:
    """One of the user's own preflights; an admin sees all. Raises NotFound."""
    mine = Preflight.objects.all() if user.is_staff else Preflight.objects.filter(user=user)
    check = mine.filter(pk=pk).first()
    if check is None:
        raise NotFound(_("There is no such preflight, or it is older than a day: start another preflight."))
    return check
