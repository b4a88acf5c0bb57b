"""The API of runs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from presets import configs
from presets.errors import BadInput, NotFound
from presets.exchange import without_secrets
from presets.filters import FieldFilter, FilteredLists, Order, Search
from presets.parameters import whole_number
from presets.serving import send_file, send_folder
from training import serializers
from training.api_trainer import start_options
from training.charts import curve
from training.log_pieces import read_log
from training.models import Run, RunCommand
from training.service import TrainerService

logger = logging.getLogger(__name__)
ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MOST_POINTS, MOST_SERIES = 10_000, 50
MOST_LOG_BYTES = 1024 * 1024
ASKED = serializers.AskedRunSerializer
DETAIL = serializers.RunDetailSerializer


def asks(**request: Any) -> Any:
    """How the OpenAPI document describes an action that asks something of a run."""
    return extend_schema(**{"request": None, "responses": {202: ASKED}} | request)


@extend_schema_view(retrieve=extend_schema(responses=DETAIL), list=extend_schema(responses=serializers.RunSerializer))
class RunViewSet(FilteredLists, ReadOnlyModelViewSet):
    """Trainings: waiting, running and ended."""

    queryset = Run.objects.select_related("owner", "worker", "preset", "preset_version")
    serializer_class = serializers.RunSerializer
    lookup_value_regex = ID
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "status": ("status", "A status; give it twice for either."),
        "owner": ("owner__username", "A user's name."),
        "preset": ("preset", "A preset's id."),
        "worker": ("worker", "A worker's id."),
        "engine": ("engine", "A trainer's name."),
        "parent": ("parent", "The id of the run that it was made from."),
    }
    search_fields = ["name", "notes", "tags"]
    ordering_fields = ["created_at", "queued_at", "name", "status", "priority", "global_step", "status_changed_at"]
    ordering = ["-created_at"]

    def get_serializer_class(self) -> Any:
        return DETAIL if self.action == "retrieve" else self.serializer_class

    @property
    def service(self) -> TrainerService:
        return TrainerService(self.request.user)

    def read(self, serializer_class: Any) -> dict[str, Any]:
        """The request's body, checked."""
        asked = serializer_class(data=self.request.data)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    # -- the run itself ----------------------------------------------------------------------------------------

    @extend_schema(request=serializers.NewRunSerializer, responses={201: DETAIL})
    def create(self, request: Request) -> Response:
        """Queue a run; it starts as soon as a worker is free."""
        run = self.service.start_training(**start_options(self.read(serializers.NewRunSerializer)))
        return Response(DETAIL(run).data, status=201)

    @extend_schema(request=serializers.RunChangeSerializer, responses=DETAIL)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, notes, tags or priority."""
        run = self.service.edit(self.get_object(), self.read(serializers.RunChangeSerializer))
        return Response(DETAIL(run).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an ended run with all its files."""
        run = self.get_object()
        self.service.delete(run)
        logger.info("%s deleted the run %s (%s).", request.user, pk, run.name)
        return Response(status=204)

    # -- asking something of it --------------------------------------------------------------------------------

    def asked(self, run: Run, command: RunCommand | None) -> Response:
        run.refresh_from_db()
        return Response(ASKED({"run": run, "command": command}).data, status=202)

    @asks()
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """End it with a backup and its model; a queued run is cancelled."""
        run = self.get_object()
        return self.asked(run, self.service.stop_training(run))

    @extend_schema(request=None, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Take a queued run out of the queue."""
        run = self.get_object()
        self.service.cancel(run)
        return Response(DETAIL(run).data)

    @asks()
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Hold it between two steps; the model stays loaded."""
        run = self.get_object()
        return self.asked(run, self.service.pause(run))

    @asks()
    @action(detail=True, methods=["post"], url_path="continue", url_name="continue")
    def go_on(self, request: Request, pk: str) -> Response:
        """Go on after a pause."""
        run = self.get_object()
        return self.asked(run, self.service.resume_training(run))

    @asks()
    @action(detail=True, methods=["post"])
    def backup(self, request: Request, pk: str) -> Response:
        """Write a backup, from which it can be continued."""
        run = self.get_object()
        return self.asked(run, self.service.backup(run))

    @asks()
    @action(detail=True, methods=["post"])
    def save(self, request: Request, pk: str) -> Response:
        """Write the model as it is now."""
        run = self.get_object()
        return self.asked(run, self.service.save(run))

    @asks(request=serializers.SampleRequestSerializer)
    @action(detail=True, methods=["post"])
    def sample(self, request: Request, pk: str) -> Response:
        """Draw one picture with the given settings, or the run's own sample prompts where none are given."""
        run = self.get_object()
        if not isinstance(request.data, dict):
            raise BadInput("Send the sample's settings as a JSON object, or nothing for the run's own prompts.")
        custom = bool(request.data)
        command = self.service.sample_custom(request.data, run) if custom else self.service.sample_default(run)
        return self.asked(run, command)

    # -- again -------------------------------------------------------------------------------------------------

    @extend_schema(request=serializers.ResumeSerializer, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Continue an ended run from a backup."""
        run = self.get_object()
        chosen = self.read(serializers.ResumeSerializer).get("backup")
        backup = get_object_or_404(run.artifacts, pk=chosen) if chosen else None
        return Response(DETAIL(self.service.continue_run(run, backup)).data)

    @extend_schema(request=None, responses={201: DETAIL})
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Train the same config afresh, as a new run."""
        return Response(DETAIL(self.service.restart(self.get_object())).data, status=201)

    @extend_schema(request=serializers.DuplicateSerializer, responses={201: DETAIL})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: str) -> Response:
        """Queue a new run with this one's config and the given changes."""
        run = self.get_object()
        return Response(DETAIL(self.service.duplicate(run, **self.read(serializers.DuplicateSerializer))).data, 201)

    # -- reading -----------------------------------------------------------------------------------------------

    def page_of(self, rows: QuerySet[Any], serializer_class: Any) -> Response:
        """One page of a run's rows, oldest first."""
        self.ordering, self.ordering_fields = [rows.model._meta.ordering[0]], []
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer_class(page, many=True).data)

    @extend_schema(responses=serializers.EventSerializer(many=True), filters=False)
    @action(detail=True)
    def events(self, request: Request, pk: str) -> Response:
        """What happened to it, oldest first."""
        return self.page_of(self.get_object().events.select_related("user"), serializers.EventSerializer)

    @extend_schema(responses=serializers.CommandSerializer(many=True), filters=False)
    @action(detail=True)
    def commands(self, request: Request, pk: str) -> Response:
        """What people asked of it and what became of that, oldest first."""
        return self.page_of(self.get_object().commands.select_related("requested_by"), serializers.CommandSerializer)

    @extend_schema(responses=serializers.ArtifactSerializer(many=True), filters=False)
    @action(detail=True)
    def artifacts(self, request: Request, pk: str) -> Response:
        """Its backups and models, oldest first."""
        return self.page_of(self.get_object().artifacts.all(), serializers.ArtifactSerializer)

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("artifact_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        filters=False,
    )
    @action(detail=True, url_path=f"artifacts/(?P<artifact_id>{ID})/file", url_name="artifact-file")
    def artifact_file(self, request: Request, pk: str, artifact_id: str) -> HttpResponseBase:
        """Download one: a file with range requests, or a folder as a tar file."""
        artifact = get_object_or_404(self.get_object().artifacts, pk=artifact_id)
        if artifact.deleted_at is not None:
            raise NotFound("This one was removed to make room: choose a newer one.")
        path = Path(artifact.path)
        return send_folder(request, path) if path.is_dir() else send_file(request, path, as_attachment=True)

    @extend_schema(
        responses=serializers.MetricsSerializer,
        parameters=[
            OpenApiParameter("tag", str, many=True, description="Which series, such as loss; all without it."),
            OpenApiParameter("points", int, description=f"At most so many of each, from 4 to {MOST_POINTS}."),
        ],
    )
    @action(detail=True)
    def metrics(self, request: Request, pk: str) -> Response:
        """Its curves, thinned so that each stretch's lowest and highest points stay."""
        run = self.get_object()
        points = whole_number(request, "points", 500, 4, MOST_POINTS)
        known = sorted(run.metrics.present().order_by().values_list("tag", flat=True).distinct())
        asked = [tag for text in request.query_params.getlist("tag") for tag in text.split(",") if tag]
        series = {tag: self._series(run, tag, points) for tag in (asked or known)[:MOST_SERIES] if tag in known}
        return Response({"run_id": str(run.pk), "tags": known, "series": series})

    def _series(self, run: Run, tag: str, points: int) -> dict[str, Any]:
        columns, total = curve(run, tag, points)
        return {**columns, "total": total}

    @extend_schema(
        responses=serializers.LogSerializer,
        parameters=[
            OpenApiParameter("offset", int, description="Where to begin, in bytes; negative counts from the end."),
            OpenApiParameter("limit", int, description=f"How many bytes at most, up to {MOST_LOG_BYTES}."),
            OpenApiParameter("attempt", int, description="Which attempt's log; the present one without it."),
        ],
    )
    @action(detail=True)
    def log(self, request: Request, pk: str) -> Response:
        """A piece of what the training process printed."""
        run = self.get_object()
        offset = whole_number(request, "offset", 0, -(2**53), 2**53)
        limit = whole_number(request, "limit", 65536, 4, MOST_LOG_BYTES)
        run.attempt = whole_number(request, "attempt", run.attempt, 0, run.attempt)
        piece = read_log(run.log_file, offset, limit)
        return Response({"attempt": run.attempt, **vars(piece)})

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def config(self, request: Request, pk: str) -> Response:
        """Its whole config, as OneTrainer reads it."""
        return Response(without_secrets(self.get_object().config))

    @extend_schema(
        responses=serializers.RunDiffSerializer,
        parameters=[
            OpenApiParameter("with", str, description="A run's id, `preset` or `defaults`; `preset` where it has one.")
        ],
    )
    @action(detail=True)
    def diff(self, request: Request, pk: str) -> Response:
        """The settings in which it differs from another run, from its preset or from the defaults."""
        run = self.get_object()
        against = request.query_params.get("with") or ("preset" if run.preset_version else "defaults")
        changes = configs.flat_difference(without_secrets(self._base(run, against)), without_secrets(run.config))
        return Response({"against": against, "changes": changes})

    def _base(self, run: Run, against: str) -> dict[str, Any]:
        if against == "defaults":
            return configs.defaults(run.engine)
        if against == "preset":
            if run.preset_version is None:
                raise NotFound("This run was made without a preset: compare it with defaults or another run.")
            return configs.full_config(run.engine, run.preset_version.config)
        try:
            return get_object_or_404(Run, pk=UUID(against)).config
        except ValueError as error:
            sentence = "is a run's id, preset or defaults."
            raise BadInput(f"with {sentence}", {"with": [f"It {sentence}"]}) from error
