"""The API of the clean-up: disk usage, a preview of a deletion, and its confirmation."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.json_types import JsonObject
from operations.cleanup.ask import ask_for_inventory
from operations.cleanup.cleanup_plan import (
    CleanupChoice,
    PlanItem,
    allowed_runs,
    confirm,
    kinds_for,
    make_plan,
    newest_inventory,
    propose,
)
from operations.cleanup.inventory import KINDS
from system.models import Job
from web.api.parameters import KnownParameters, values_of, whole_number
from web.api.serializers import read_body
from web.errors import BadInput
from web.ids import as_uuid
from web.permissions import OnlyTrainers

SHOWN = 1000


class UsedByRunSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    bytes = serializers.IntegerField()
    kinds = serializers.DictField(child=serializers.IntegerField())


class UsageSerializer(serializers.Serializer):
    measured_at = serializers.DateTimeField(
        allow_null=True, help_text="When a worker counted; null before the first count."
    )
    is_counting = serializers.BooleanField()
    bytes = serializers.IntegerField()
    kinds = serializers.DictField(child=serializers.IntegerField(), help_text="Bytes of the files of runs, by kind.")
    folders = serializers.DictField(
        child=serializers.IntegerField(), help_text="Bytes of each entry of the data folder."
    )
    runs = UsedByRunSerializer(many=True, help_text="The largest first.")


class ItemSerializer(serializers.Serializer):
    kind = serializers.CharField()
    label = serializers.CharField()
    run = serializers.CharField(allow_blank=True, help_text="The id of its run, if it has one.")
    run_name = serializers.CharField(allow_blank=True)
    bytes = serializers.IntegerField()
    why = serializers.CharField(allow_blank=True, help_text="Why it stays.")


class PlanSerializer(serializers.Serializer):
    token = serializers.CharField(
        allow_null=True, help_text="Send it back within an hour to confirm; null if nothing would be deleted."
    )
    count = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Bytes that the deletion frees.")
    going = ItemSerializer(many=True, help_text=f"At most {SHOWN} of them, the largest first.")
    staying = ItemSerializer(many=True, help_text=f"At most {SHOWN} of them.")


class ConfirmSerializer(serializers.Serializer):
    token = serializers.UUIDField(help_text="The token of the preview.")


class CleanupSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(Job.Status.choices)
    detail = serializers.CharField(allow_blank=True)
    removed = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True, help_text="Bytes that were freed.")
    left = serializers.ListField(child=serializers.DictField(), help_text="Items that were kept, with the reason.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, job: Job) -> JsonObject:
        facts = {name: getattr(job, name) for name in ("id", "status", "detail", "created_at", "ended_at")}
        return {**facts, "removed": None, "bytes": None, "left": [], **job.result}


class UsageView(KnownParameters, APIView):
    permission_classes = (OnlyTrainers,)

    @extend_schema(responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """Disk usage as a worker counted it last; other users' runs only for admins."""
        found = newest_inventory() or {"measured_at": None, "bytes": 0, "kinds": {}, "folders": {}, "runs": []}
        mine = {str(key) for key in allowed_runs(request.user).values_list("pk", flat=True)}
        runs = [run for run in found["runs"] if request.user.is_staff or run["id"] in mine]
        is_counting = Job.objects.open().filter(kind=Job.Kind.MEASURE).exists()
        return Response({**UsageSerializer({**found, "runs": runs, "is_counting": is_counting}).data})

    @extend_schema(request=None, responses={202: UsageSerializer})
    def post(self, request: Request) -> Response:
        """Request a new count by a worker."""
        ask_for_inventory(request.user)
        answer = self.get(request)
        answer.status_code = 202
        return answer


class CleanupView(KnownParameters, APIView):
    permission_classes = (OnlyTrainers,)

    @extend_schema(
        responses=PlanSerializer,
        parameters=[
            OpenApiParameter(
                "kinds",
                str,
                required=True,
                many=True,
                description=f"One or several of {', '.join(KINDS)}.",
            ),
            OpenApiParameter("run", str, description="Only of this run."),
            OpenApiParameter("older_than", int, description="Only items older than this many days."),
            OpenApiParameter(
                "keep",
                int,
                description="Keep this many of the newest in each run; without it, the run's policy applies.",
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """A preview: items to delete, items that stay and why, and the token to confirm. Nothing is deleted."""
        choice = _choice(request)
        plan = make_plan(choice, request.user)
        token = str(propose(choice, plan, request.user).pk) if plan.going else None
        sums = {"token": token, "count": len(plan.going), "bytes": plan.bytes}
        return Response({**sums, "going": _shown(plan.going), "staying": _shown(plan.staying)})

    @extend_schema(request=ConfirmSerializer, responses={202: CleanupSerializer})
    def post(self, request: Request) -> Response:
        """Confirm a preview: a worker deletes exactly its items, except those that changed since."""
        asked = read_body(request, ConfirmSerializer)
        return Response(CleanupSerializer(confirm(asked["token"], request.user)).data, status=202)


class CleanupJobView(APIView):
    permission_classes = (OnlyTrainers,)

    @extend_schema(responses=CleanupSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The progress or result of a clean-up."""
        jobs = Job.objects.filter(kind=Job.Kind.CLEANUP)
        visible = jobs if request.user.is_staff else jobs.filter(user=request.user)
        return Response(CleanupSerializer(get_object_or_404(visible, pk=pk)).data)


def _choice(request: Request) -> CleanupChoice:
    kinds = values_of(request, "kinds")
    if unknown := [kind for kind in kinds if kind not in kinds_for(request.user)]:
        sentence = _("%(unknown)s is not a kind that you may delete: choose from %(kinds_for)s.") % {
            "unknown": f"{unknown[0]!r}",
            "kinds_for": ", ".join(kinds_for(request.user)),
        }
        raise BadInput(sentence, {"kinds": [sentence]})
    run = request.query_params.get("run", "")
    if run and as_uuid(run) is None:
        raise BadInput("run must be the id of a run.", {"run": [_("It must be the id of a run.")]})
    keep = whole_number(request, "keep", 0, 0, 100_000) if "keep" in request.query_params else None
    return CleanupChoice(tuple(kinds), run, whole_number(request, "older_than", 0, 0, 36_500), keep)


def _shown(items: list[PlanItem]) -> Any:
    return ItemSerializer(items[:SHOWN], many=True).data
