"""Serializers of configs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.intake import take_in


class ConfigField(serializers.DictField):
    """A config: OneTrainer's names, values and nesting. Tokens for hubs and clouds are never shown."""

    def to_representation(self, value: JsonObject) -> JsonObject:
        return without_secrets(value)


class ProblemSerializer(serializers.Serializer):
    field = serializers.CharField(allow_blank=True, help_text="A dotted path, such as optimizer.beta1.")
    message = serializers.CharField()


class LeftOutSerializer(serializers.Serializer):
    """The part of a response to a config that contained tokens, or that was translated or migrated."""

    warnings = ProblemSerializer(
        many=True, required=False, help_text="A warning for each token that was left out, and for all that was changed."
    )


def with_left_out(answer: JsonObject, *sent: Any) -> JsonObject:
    """The response, with a warning for each token in the configs in the request."""
    return _with_warnings(answer, [problem for config in sent for problem in configs.left_out(config)])


def with_notes(answer: JsonObject, *sent: Any) -> JsonObject:
    """The response, with a warning for each token in the configs in the request, and for all that `take_in` changed."""
    problems = [problem for config in sent for problem in (*configs.left_out(config), *take_in(config).notes)]
    return _with_warnings(answer, problems)


def _with_warnings(answer: JsonObject, problems: list[Problem]) -> JsonObject:
    return {**answer, "warnings": ProblemSerializer(problems, many=True).data} if problems else answer


class ChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path, such as optimizer.beta1.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
