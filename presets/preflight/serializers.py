"""Serializers of checks."""

from __future__ import annotations

from rest_framework import serializers

from presets.config.serializers import ProblemSerializer
from presets.models import Preflight

STATUSES = [choice for choice in Preflight.Status.choices if choice[0] != Preflight.Status.PLANNED]
LARGEST = 2**63 - 1


class FoundProblemSerializer(ProblemSerializer):
    severity = serializers.ChoiceField(choices=["error", "warning"])


class PreflightSerializer(serializers.ModelSerializer):
    """A check by a worker: first its progress, at its end its findings."""

    engine = serializers.CharField(required=False, max_length=20)
    status = serializers.ChoiceField(STATUSES, required=False)
    worker = serializers.CharField(required=False, max_length=200, help_text="The name of the worker that checks.")
    stage = serializers.CharField(required=False, max_length=100, help_text="The current stage of the check.")
    current = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST)
    total = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST)
    error = serializers.CharField(required=False, help_text="Why the check itself failed.")
    problems = FoundProblemSerializer(many=True)
    estimate = serializers.DictField(help_text="`memory` and `disk` with their `total` and `parts`, in bytes.")

    class Meta:
        model = Preflight
        fields = (
            *("id", "engine", "status", "worker", "stage", "current", "total", "problems", "estimate", "error"),
            *("created_at", "ended_at"),
        )


class ValidationSerializer(serializers.Serializer):
    valid = serializers.BooleanField()
    errors = ProblemSerializer(many=True)
    warnings = ProblemSerializer(many=True)
    preflight = PreflightSerializer(required=False, help_text="The worker's check, if a worker was asked.")
