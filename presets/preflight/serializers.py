"""What the API says of checks."""

from __future__ import annotations

from rest_framework import serializers

from presets.config.serializers import ProblemSerializer
from presets.models import Preflight


class FoundProblemSerializer(ProblemSerializer):
    severity = serializers.ChoiceField(choices=["error", "warning"])


class PreflightSerializer(serializers.ModelSerializer):
    """A check in the worker's world: first how far it is, at its end what it found."""

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
    preflight = PreflightSerializer(required=False, help_text="Where a worker was asked.")
