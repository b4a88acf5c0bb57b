"""What the API says of configs and presets."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from engine.tokens import without_secrets
from presets import configs
from presets.models import Preflight, Preset, PresetVersion


class ConfigField(serializers.DictField):
    """A config: OneTrainer's names, values and nesting. Tokens for hubs and clouds are never shown."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return without_secrets(value)


class SuccessSerializer(serializers.Serializer):
    success = serializers.BooleanField(default=True)
    message = serializers.CharField()


class ConfigNamesSerializer(serializers.Serializer):
    configs = serializers.ListField(child=serializers.CharField())


class SavedPresetSerializer(SuccessSerializer):
    name = serializers.CharField()
    version = serializers.IntegerField()


class ProblemSerializer(serializers.Serializer):
    field = serializers.CharField(allow_blank=True, help_text="A dotted path, such as optimizer.beta1.")
    message = serializers.CharField()


class LeftOutSerializer(serializers.Serializer):
    """What an answer says of a config that was sent with tokens in it."""

    warnings = ProblemSerializer(many=True, required=False, help_text="What of the config was left out: its tokens.")


def with_left_out(answer: dict[str, Any], *sent: Any) -> dict[str, Any]:
    """The answer with a warning for each token in the configs that were sent, where there are any."""
    found = [problem for config in sent for problem in configs.left_out(config)]
    return {**answer, "warnings": ProblemSerializer(found, many=True).data} if found else answer


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


class ChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path, such as optimizer.beta1.")
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class PresetSerializer(serializers.ModelSerializer):
    favourite = serializers.BooleanField(source="is_favourite", read_only=True)
    owner = serializers.CharField(source="owner.username", read_only=True, default=None, allow_null=True)

    class Meta:
        model = Preset
        fields: tuple[str, ...] = (
            "id",
            "name",
            "folder",
            "description",
            "version",
            "archived",
            "source",
            "favourite",
            "owner",
            "created_at",
            "updated_at",
        )


class EngineVerdictSerializer(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()
    why_not = serializers.CharField(help_text="Empty where the engine can train it.")


class PresetDetailSerializer(LeftOutSerializer, PresetSerializer):
    config = ConfigField(help_text="What differs from the engine's defaults.")
    engines = serializers.SerializerMethodField(help_text="Which engines can train it, and why one cannot.")

    class Meta(PresetSerializer.Meta):
        fields = (*PresetSerializer.Meta.fields, "config", "engines", "warnings")

    @extend_schema_field(EngineVerdictSerializer(many=True))
    def get_engines(self, preset: Preset) -> list[dict[str, Any]]:
        return configs.engines_for(preset.config)


class PresetChangeSerializer(serializers.Serializer):
    """What can be set of a preset; a changed config becomes a new version."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(allow_blank=True, required=False, max_length=10_000)
    archived = serializers.BooleanField(required=False)
    config = ConfigField()
    note = serializers.CharField(allow_blank=True, required=False, max_length=500, help_text="Why this version.")


class PresetVersionSerializer(serializers.ModelSerializer):
    created_by = serializers.CharField(source="created_by.username", read_only=True, default=None, allow_null=True)

    class Meta:
        model = PresetVersion
        fields: tuple[str, ...] = ("number", "note", "created_by", "created_at")


class PresetVersionDetailSerializer(PresetVersionSerializer):
    config = ConfigField()

    class Meta(PresetVersionSerializer.Meta):
        fields = (*PresetVersionSerializer.Meta.fields, "config")


class PresetDiffSerializer(serializers.Serializer):
    before = serializers.IntegerField(help_text="A version; 0 is the engine's defaults.")
    after = serializers.IntegerField()
    changes = ChangeSerializer(many=True)


class ExportedPresetSerializer(serializers.Serializer):
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True, required=False)
    config = ConfigField()


class PresetFileSerializer(serializers.Serializer):
    presets = ExportedPresetSerializer(many=True)


class ImportNotesSerializer(serializers.Serializer):
    name = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())


class ImportedSerializer(SuccessSerializer):
    presets = PresetSerializer(many=True)
    notes = ImportNotesSerializer(many=True, help_text="What to know of what was imported.")


class RevertSerializer(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
