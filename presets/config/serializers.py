"""Serializers of configs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs


class ConfigField(serializers.DictField):
    """A config: OneTrainer's names, values and nesting. Tokens for hubs and clouds are never shown."""

    def to_representation(self, value: JsonObject) -> JsonObject:
        return without_secrets(value)


class ProblemSerializer(serializers.Serializer):
    field = serializers.CharField(allow_blank=True, help_text="A dotted path, such as optimizer.beta1.")
    message = serializers.CharField()


class LeftOutSerializer(serializers.Serializer):
    """The part of a response to a config that contained tokens."""

    warnings = ProblemSerializer(many=True, required=False, help_text="A warning for each token that was left out.")


def with_left_out(answer: JsonObject, *sent: Any) -> JsonObject:
    """The response, with a warning for each token in the configs in the request."""
    problems = [problem for config in sent for problem in configs.left_out(config)]
    return {**answer, "warnings": ProblemSerializer(problems, many=True).data} if problems else answer


class ChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path, such as optimizer.beta1.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
