"""The serializers of the queue."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework import serializers

from engine.interface.json_types import JsonObject
from training.models import Run
from training.queue.board import Lane, Waiting
from training.queue.service import LEAST_PRIORITY, MOST_PRIORITY
from web.api.serializers import OnlyKnownFields
from web.errors import BadInput


class LaneSerializer(serializers.Serializer):
    worker = serializers.CharField()
    state = serializers.CharField(help_text="idle, busy, draining, offline, or lost if the worker disappeared.")
    run_id = serializers.UUIDField(allow_null=True, help_text="The run that it trains.")
    free_at = serializers.DateTimeField(allow_null=True, help_text="Estimated time of its next run.")

    def to_representation(self, lane: Lane) -> JsonObject:
        shown = {"worker": lane.worker.name, "state": lane.state, "run_id": lane.run and str(lane.run.pk)}
        return {**shown, "free_at": lane.free_at}


class WaitingSerializer(serializers.Serializer):
    run_id = serializers.UUIDField()
    name = serializers.CharField()
    position = serializers.IntegerField(help_text="1 starts next.")
    reason = serializers.CharField(help_text="Why it does not start yet, in one sentence.")
    priority = serializers.IntegerField()
    held = serializers.BooleanField()
    start_after = serializers.DateTimeField(allow_null=True)
    after_run = serializers.UUIDField(allow_null=True)
    after_end = serializers.ChoiceField(Run.AfterEnd.choices)
    starts_at = serializers.DateTimeField(allow_null=True, help_text="Estimated from the durations of similar runs.")
    ends_at = serializers.DateTimeField(allow_null=True)
    worker = serializers.CharField(allow_blank=True, help_text="The worker that is expected to train it.")

    def to_representation(self, one: Waiting) -> JsonObject:
        run = one.run
        plan = {name: getattr(run, name) for name in ("name", "priority", "start_after", "after_end")}
        before = run.after_run_id and str(run.after_run_id)
        shown = {"run_id": str(run.pk), "position": one.number, "reason": one.reason, **plan, "after_run": before}
        times = {"starts_at": one.starts_at, "ends_at": one.ends_at, "worker": one.worker}
        return {**shown, "held": run.held_at is not None, **times}


class QueueSerializer(serializers.Serializer):
    lanes = LaneSerializer(many=True)
    waiting = WaitingSerializer(many=True, help_text="The runs that start first, at most 200.")
    length = serializers.IntegerField(help_text="The number of waiting runs.")


class QueuePlanSerializer(OnlyKnownFields):
    """The plan of a waiting run; missing fields keep their values."""

    position = serializers.IntegerField(min_value=1, max_value=10**9, required=False, help_text="1 starts next.")
    priority = serializers.IntegerField(
        min_value=LEAST_PRIORITY, max_value=MOST_PRIORITY, required=False, help_text="A higher number starts sooner."
    )
    held = serializers.BooleanField(required=False, help_text="true to hold it in the queue, false to release it.")
    start_after = serializers.DateTimeField(required=False, allow_null=True, help_text="The earliest start.")
    after_run = serializers.UUIDField(required=False, allow_null=True, help_text="The run that it waits for.")
    after_end = serializers.ChoiceField(
        Run.AfterEnd.choices, required=False, help_text="Whether that run must finish, or only end in any way."
    )

    def validate(self, data: JsonObject) -> JsonObject:
        data = super().validate(data)
        if data.get("after_run"):
            data["after_run"] = Run.objects.filter(pk=data["after_run"]).first()
            if data["after_run"] is None:
                sentence = _("There is no such run.")
                raise BadInput(f"after_run: {sentence}", {"after_run": [sentence]})
        return data
