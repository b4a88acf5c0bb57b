"""The API of runs."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs, whole
from presets.config.serializers import with_notes
from presets.preflight.waiting import AwaitsPreflight, checker_of
from training.api import serializers
from training.api.filters import TableFilters
from training.api.single_trainer import start_options
from training.logs.pieces import read_log
from training.metrics.charts import MOST_STEPS, curves
from training.metrics.summaries import spans
from training.models import Artifact, Run, RunCommand
from training.queue.service import QueueService
from training.runs.commands import Commands
from training.runs.continuation import Continuation
from training.runs.downloads import send_artifact
from training.runs.notes import RunNotes
from training.runs.removal import delete_run
from training.runs.service import TrainerService
from web.api.filters import FieldFilter, FilteredLists, Order, Search
from web.api.parameters import KnownParameters, values_of, whole_number
from web.api.serializers import read_body
from web.errors import BadInput, NotFound
from web.ids import UUID_PATTERN, as_uuid

logger = logging.getLogger(__name__)
MOST_POINTS, MOST_SERIES = 10_000, 50
MOST_LOG_BYTES = 1024 * 1024
ASKED = serializers.AskedRunSerializer
DETAIL = serializers.RunDetailSerializer


def asks(**request: Any) -> Any:
    """The OpenAPI description of an action that sends a command to a run."""
    return extend_schema(**{"request": None, "responses": {202: ASKED}} | request)


@extend_schema_view(retrieve=extend_schema(responses=DETAIL), list=extend_schema(responses=serializers.RunSerializer))
class RunViewSet(KnownParameters, AwaitsPreflight, FilteredLists, ReadOnlyModelViewSet):
    """Runs: waiting, training and ended."""

    queryset = Run.objects.select_related("owner", "worker", "preset", "preset_version")  # for the API's document
    serializer_class = serializers.RunSerializer
    lookup_value_regex = UUID_PATTERN
    filter_backends = [FieldFilter, TableFilters, Search, Order]
    filter_lookups = {
        "status": ("status", "A status; repeat the parameter to match several."),
        "owner": ("owner__username", "A user's name."),
        "preset": ("preset", "A preset's id."),
        "worker": ("worker", "A worker's id."),
        "engine": ("engine", "A trainer's name."),
        "parent": ("parent", "The id of the run that it was copied from."),
        "favourite": ("is_favourite", "true or false."),
    }
    search_fields = ["name", "notes", "tags"]
    ordering_fields = ["created_at", "queued_at", "name", "status", "priority", "global_step", "status_changed_at"]
    ordering = ["-created_at"]

    def get_queryset(self) -> QuerySet[Any]:
        runs = super().get_queryset().with_favourites_of(self.request.user).with_progress().with_backups()
        # Clients order by this name, and a cursor reads it from the last row of a page.
        return runs.annotate(global_step=F("progress__global_step"))

    def get_serializer_class(self) -> Any:
        return DETAIL if self.action == "retrieve" else self.serializer_class

    @property
    def service(self) -> TrainerService:
        return TrainerService(self.request.user, checker_of(self.request))

    def read(self, serializer_class: Any) -> JsonObject:
        """The validated request body."""
        return read_body(self.request, serializer_class)

    def answer(self, run: Run, status: int = 200) -> Response:
        """A response with the current state of the run."""
        return Response(DETAIL(self.get_queryset().get(pk=run.pk)).data, status=status)

    # -- the run itself ----------------------------------------------------------------------------------------

    @extend_schema(request=serializers.NewRunSerializer, responses={201: DETAIL})
    def create(self, request: Request) -> Response:
        """Queue a run; it starts as soon as a worker is free."""
        options = start_options(self.read(serializers.NewRunSerializer))
        answer = self.answer(self.service.start_training(**options), 201)
        answer.data = with_notes(answer.data, options["config"], options.get("overrides"))
        return answer

    @extend_schema(request=serializers.RunChangeSerializer, responses=DETAIL)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, notes, tags, priority or retries, or mark it as your favourite."""
        changes = self.read(serializers.RunChangeSerializer)
        return self.answer(RunNotes(request.user).edit_run(self.get_object(), changes))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an ended run with all its files."""
        run = self.get_object()
        delete_run(run)
        logger.info("%s deleted the run %s (%s).", request.user, pk, run.name)
        return Response(status=204)

    # -- commands ----------------------------------------------------------------------------------------------

    def asked(self, run: Run, command: RunCommand | None) -> Response:
        return Response(ASKED({"run": self.get_queryset().get(pk=run.pk), "command": command}).data, status=202)

    @asks(request=serializers.StopSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """End it with a backup and its model, or at once; a queued run is cancelled."""
        run = self.get_object()
        return self.asked(run, self.service.stop_training(run, self.read(serializers.StopSerializer)["now"]))

    @extend_schema(request=None, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Remove a queued run from the queue."""
        run = self.get_object()
        QueueService(request.user).cancel(run)
        return self.answer(run)

    @extend_schema(request=None, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def start_now(self, request: Request, pk: str) -> Response:
        """Start a run that waits for its automatic retry now."""
        return self.answer(QueueService(request.user).start_now(self.get_object()))

    @asks()
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause it between two steps; the model stays loaded."""
        run = self.get_object()
        return self.asked(run, Commands(request.user).pause(run))

    @asks()
    @action(detail=True, methods=["post"], url_path="continue", url_name="continue")
    def go_on(self, request: Request, pk: str) -> Response:
        """Continue it after a pause."""
        run = self.get_object()
        return self.asked(run, Commands(request.user).resume_training(run))

    @asks()
    @action(detail=True, methods=["post"])
    def backup(self, request: Request, pk: str) -> Response:
        """Write a backup that it can be continued from."""
        run = self.get_object()
        return self.asked(run, self.service.backup(run))

    @asks()
    @action(detail=True, methods=["post"])
    def save(self, request: Request, pk: str) -> Response:
        """Save the model in its current state."""
        run = self.get_object()
        return self.asked(run, self.service.save(run))

    @asks(request=serializers.SampleRequestSerializer)
    @action(detail=True, methods=["post"])
    def sample(self, request: Request, pk: str) -> Response:
        """Generate one picture with the given settings, or samples of the run's own prompts without settings."""
        run = self.get_object()
        if not isinstance(request.data, dict):
            raise BadInput(_("Send the sample's settings as a JSON object, or nothing for the run's own prompts."))
        custom = bool(request.data)
        command = self.service.sample_custom(request.data, run) if custom else self.service.sample_default(run)
        return self.asked(run, command)

    # -- again -------------------------------------------------------------------------------------------------

    @extend_schema(request=serializers.ResumeSerializer, responses=DETAIL)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Continue an ended run, in its next attempt, from a backup.

        If its training data changed since the backup, `warnings` say where it continues; the timeline does so too.
        """
        run, asked = self.get_object(), self.read(serializers.ResumeSerializer)
        backup, epochs = self._artifact(run, asked.get("backup")), asked.get("epochs")
        again = Continuation(request.user, checker_of(request))
        changes = again.changes_of_data(run, backup, epochs)
        answer = self.answer(run if asked.get("only_check") else again.continue_run(run, backup, epochs))
        if changes:
            answer.data["warnings"] = [{"field": "concepts", "message": sentence} for sentence in changes]
        return answer

    @extend_schema(request=serializers.RestartSerializer, responses={201: DETAIL})
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Train the same config again in a new run, from the base model or from the weights of an artifact."""
        run = self.get_object()
        weights = self._artifact(run, self.read(serializers.RestartSerializer).get("weights"))
        return self.answer(Continuation(request.user, checker_of(request)).restart(run, weights), 201)

    def _artifact(self, run: Run, key: UUID | None) -> Artifact | None:
        return get_object_or_404(run.artifacts, pk=key) if key else None

    @extend_schema(request=serializers.DuplicateSerializer, responses={201: DETAIL})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: str) -> Response:
        """Queue a new run with this one's config and the given changes."""
        run = self.get_object()
        changes = self.read(serializers.DuplicateSerializer)
        return self.answer(Continuation(request.user, checker_of(request)).duplicate(run, **changes), 201)

    # -- reading -----------------------------------------------------------------------------------------------

    def page_of(self, rows: QuerySet[Any], serializer_class: Any) -> Response:
        """One page of a run's rows, oldest first."""
        self.ordering, self.ordering_fields = [rows.model._meta.ordering[0]], []
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer_class(page, many=True).data)

    @extend_schema(responses=serializers.EventSerializer(many=True), filters=False)
    @action(detail=True)
    def events(self, request: Request, pk: str) -> Response:
        """Its events, oldest first."""
        return self.page_of(self.get_object().events.select_related("user"), serializers.EventSerializer)

    @extend_schema(responses=serializers.CommandSerializer(many=True), filters=False)
    @action(detail=True)
    def commands(self, request: Request, pk: str) -> Response:
        """The commands to it with their results, oldest first."""
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
    @action(detail=True, url_path=f"artifacts/(?P<artifact_id>{UUID_PATTERN})/file", url_name="artifact-file")
    def artifact_file(self, request: Request, pk: str, artifact_id: str) -> HttpResponseBase:
        """Download an artifact: a file with range requests, or a folder as a zip file."""
        artifact = get_object_or_404(self.get_object().artifacts, pk=artifact_id)
        return send_artifact(request, artifact)

    @extend_schema(
        responses=serializers.MetricsSerializer,
        parameters=[
            OpenApiParameter("tag", str, many=True, description="A series such as loss; all series if left out."),
            OpenApiParameter("points", int, description=f"The most points of each series, from 4 to {MOST_POINTS}."),
            OpenApiParameter("from", int, description="The first step to return."),
            OpenApiParameter("to", int, description="The last step to return."),
            OpenApiParameter("old", bool, description="true for only the values of steps that were trained again."),
        ],
    )
    @action(detail=True)
    def metrics(self, request: Request, pk: str) -> Response:
        """Its curves, thinned so that the lowest and highest point of each interval are kept."""
        run = self.get_object()
        points = whole_number(request, "points", 500, 4, MOST_POINTS)
        first = whole_number(request, "from", 0, 0, MOST_STEPS)
        last = whole_number(request, "to", MOST_STEPS, 0, MOST_STEPS)
        old = request.query_params.get("old") == "true"
        known = sorted(spans(run))
        series = curves(run, (values_of(request, "tag") or known)[:MOST_SERIES], points, first, last, old)
        return Response({"run_id": str(run.pk), "tags": known, "series": series})

    @extend_schema(
        responses=serializers.LogSerializer,
        parameters=[
            OpenApiParameter("offset", int, description="The first byte to read; negative counts from the end."),
            OpenApiParameter("limit", int, description=f"The most bytes to read, up to {MOST_LOG_BYTES}."),
            OpenApiParameter("attempt", int, description="The attempt; the current attempt if left out."),
        ],
    )
    @action(detail=True)
    def log(self, request: Request, pk: str) -> Response:
        """A part of the output of the training process."""
        run = self.get_object()
        offset = whole_number(request, "offset", 0, -(2**53), 2**53)
        limit = whole_number(request, "limit", 65536, 4, MOST_LOG_BYTES)
        run.attempt = whole_number(request, "attempt", run.attempt, 0, run.attempt)
        piece = read_log(run.log_file, offset, limit)
        return Response({"attempt": run.attempt, **vars(piece)})

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def config(self, request: Request, pk: str) -> Response:
        """Its complete config, as OneTrainer reads it."""
        return Response(without_secrets(self.get_object().config))

    @extend_schema(
        responses=serializers.RunDiffSerializer,
        parameters=[
            OpenApiParameter("with", str, description="A run's id, `preset` or `defaults`; the preset if left out.")
        ],
    )
    @action(detail=True)
    def diff(self, request: Request, pk: str) -> Response:
        """The settings that differ from another run, from its preset or from the defaults."""
        run = self.get_object()
        against = request.query_params.get("with") or ("preset" if run.preset_version else "defaults")
        base = whole.compact(run.engine, self._base(run, against))
        mine = whole.compact(run.engine, run.config)
        changes = configs.flat_difference(without_secrets(base), without_secrets(mine))
        return Response({"against": against, "changes": changes})

    def _base(self, run: Run, against: str) -> JsonObject:
        if against == "defaults":
            return configs.defaults(run.engine)
        if against == "preset":
            if run.preset_version is None:
                raise NotFound(_("This run was made without a preset: compare it with defaults or another run."))
            return configs.full_config(run.engine, run.preset_version.config)
        if as_uuid(against) is None:
            sentence = "is a run's id, preset or defaults."
            raise BadInput(f"with {sentence}", {"with": [f"It {sentence}"]})
        return get_object_or_404(Run, pk=against).config
