"""What the API says of the queue."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from training.models import Run
from training.queue.board import Lane, Waiting
from training.queue.service import LEAST_PRIORITY, MOST_PRIORITY
from web.api.serializers import OnlyKnownFields
from web.errors import BadInput


class LaneSerializer(serializers.Serializer):
    worker = serializers.CharField()
    state = serializers.CharField(help_text="idle, busy, draining, offline, or lost where it died without a word.")
    run_id = serializers.UUIDField(allow_null=True, help_text="What it trains.")
    free_at = serializers.DateTimeField(allow_null=True, help_text="About when it takes the next run.")

    def to_representation(self, lane: Lane) -> dict[str, Any]:
        shown = {"worker": lane.worker.name, "state": lane.state, "run_id": lane.run and str(lane.run.pk)}
        return {**shown, "free_at": lane.free_at}


class WaitingSerializer(serializers.Serializer):
    run_id = serializers.UUIDField()
    name = serializers.CharField()
    position = serializers.IntegerField(help_text="1 is next.")
    reason = serializers.CharField(help_text="Why it does not start yet: one sentence.")
    priority = serializers.IntegerField()
    held = serializers.BooleanField()
    start_after = serializers.DateTimeField(allow_null=True)
    after_run = serializers.UUIDField(allow_null=True)
    after_end = serializers.ChoiceField(Run.AfterEnd.choices)
    starts_at = serializers.DateTimeField(allow_null=True, help_text="About when, by how long such runs took.")
    ends_at = serializers.DateTimeField(allow_null=True)
    worker = serializers.CharField(allow_blank=True, help_text="Which worker is expected to train it.")

    def to_representation(self, one: Waiting) -> dict[str, Any]:
        run = one.run
        plan = {name: getattr(run, name) for name in ("name", "priority", "start_after", "after_end")}
        before = run.after_run_id and str(run.after_run_id)
        shown = {"run_id": str(run.pk), "position": one.number, "reason": one.reason, **plan, "after_run": before}
        times = {"starts_at": one.starts_at, "ends_at": one.ends_at, "worker": one.worker}
        return {**shown, "held": run.held_at is not None, **times}


class QueueSerializer(serializers.Serializer):
    lanes = LaneSerializer(many=True)
    waiting = WaitingSerializer(many=True, help_text="Those that start first, 200 at most.")
    length = serializers.IntegerField(help_text="How many wait in all.")


class QueuePlanSerializer(OnlyKnownFields):
    """When a waiting run starts; what is left out stays as it is."""

    position = serializers.IntegerField(min_value=1, max_value=10**9, required=False, help_text="1 is next.")
    priority = serializers.IntegerField(
        min_value=LEAST_PRIORITY, max_value=MOST_PRIORITY, required=False, help_text="Higher is sooner."
    )
    held = serializers.BooleanField(required=False, help_text="Whether it stays in the queue until it is let go.")
    start_after = serializers.DateTimeField(required=False, allow_null=True, help_text="It does not start before this.")
    after_run = serializers.UUIDField(required=False, allow_null=True, help_text="A run that it starts after.")
    after_end = serializers.ChoiceField(
        Run.AfterEnd.choices, required=False, help_text="Whether that run has to finish, or to end in any way."
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        if data.get("after_run"):
            data["after_run"] = Run.objects.filter(pk=data["after_run"]).first()
            if data["after_run"] is None:
                sentence = _("There is no such run.")
                raise BadInput(f"after_run: {sentence}", {"after_run": [sentence]})
        return data
