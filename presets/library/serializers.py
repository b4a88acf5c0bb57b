"""Serializers of presets."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.config.serializers import ChangeSerializer, ConfigField, LeftOutSerializer
from presets.models import Preset, PresetVersion
from web.api.serializers import SuccessSerializer


class ConfigNamesSerializer(serializers.Serializer):
    configs = serializers.ListField(child=serializers.CharField())


class SavedPresetSerializer(SuccessSerializer):
    name = serializers.CharField()
    version = serializers.IntegerField()


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
    why_not = serializers.CharField(help_text="Empty if the engine can train the preset.")


class PresetDetailSerializer(LeftOutSerializer, PresetSerializer):
    config = ConfigField(help_text="The fields that differ from the engine's defaults.")
    engines = serializers.SerializerMethodField(
        help_text="The engines, with the reason if an engine cannot train the preset."
    )

    class Meta(PresetSerializer.Meta):
        fields = (*PresetSerializer.Meta.fields, "config", "engines", "warnings")

    @extend_schema_field(EngineVerdictSerializer(many=True))
    def get_engines(self, preset: Preset) -> list[JsonObject]:
        return configs.engines_for(preset.config)


class PresetChangeSerializer(serializers.Serializer):
    """The writable fields of a preset; a changed config becomes a new version."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(allow_blank=True, required=False, max_length=10_000)
    archived = serializers.BooleanField(required=False)
    config = ConfigField()
    note = serializers.CharField(
        allow_blank=True, required=False, max_length=500, help_text="A note about this version."
    )


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
    before = serializers.IntegerField(help_text="A version; 0 stands for the engine's defaults.")
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
    notes = ImportNotesSerializer(many=True, help_text="Messages about each imported preset.")


class RevertSerializer(serializers.Serializer):
    version = serializers.IntegerField(min_value=1)
