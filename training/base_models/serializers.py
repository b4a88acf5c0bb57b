"""Base models and their fetches in the API."""

from __future__ import annotations

from rest_framework import serializers

from presets.base_models.on_disk import FoundModel
from presets.base_models.uploads import ModelUpload
from presets.models import ModelFetch
from system.models import Job
from training.base_models.shelf import CatalogueRow


class FoundModelSerializer(serializers.Serializer[FoundModel]):
    name = serializers.CharField(help_text="As a config names it in base_model_name.")
    title = serializers.CharField()
    family = serializers.CharField(allow_blank=True, help_text="Empty if it is none of the catalogue's.")
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes on the disk.")
    missing = serializers.CharField(allow_blank=True, help_text="Why it cannot be used yet; empty if it is whole.")
    may_be_deleted = serializers.BooleanField()


class CatalogueModelSerializer(serializers.Serializer[CatalogueRow]):
    family = serializers.CharField(source="model.family")
    title = serializers.CharField(source="model.title")
    name = serializers.CharField(source="model.hub", help_text="Its name on the hub, as a config and a fetch take it.")
    model_type = serializers.CharField(source="model.model_type")
    licence = serializers.CharField(source="model.licence")
    gated = serializers.BooleanField(source="model.gated", help_text="Its terms must be accepted on the hub first.")
    uses = serializers.CharField(source="model.uses")
    size = serializers.IntegerField(source="model.bytes", allow_null=True, help_text="Bytes, about; null if unknown.")
    engines = serializers.ListField(child=serializers.CharField(), help_text="The engines of this site that train it.")
    memory_gb = serializers.FloatField(source="memory.needed", help_text="For a LoRA with batch size 1, estimated.")
    fits = serializers.BooleanField(source="memory.fits", help_text="Whether a device of this site has that memory.")
    on_disk = FoundModelSerializer(source="here", allow_null=True)


class BaseModelsSerializer(serializers.Serializer[object]):
    known = CatalogueModelSerializer(many=True)
    others = FoundModelSerializer(many=True, help_text="Other models on this machine.")


class FetchRequestSerializer(serializers.Serializer[object]):
    source = serializers.CharField(max_length=2000, help_text="A name on the hub, or an address of a file or a model.")
    sha256 = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=64, help_text="To check a file of another host."
    )
    host = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=200, help_text="The machine; this one if left out."
    )


class FetchSerializer(serializers.Serializer[ModelFetch]):
    id = serializers.UUIDField()
    source = serializers.SerializerMethodField(help_text="The name, or the address without its query.")
    host = serializers.CharField()
    status = serializers.ChoiceField(Job.Status.choices)
    phase = serializers.CharField(allow_blank=True, help_text="looking, fetching or checking.")
    detail = serializers.CharField(allow_blank=True, help_text="The result or the reason of a failure: a sentence.")
    model = serializers.CharField(allow_blank=True, help_text="As a config names it, once that is known.")
    bytes_done = serializers.IntegerField()
    bytes_total = serializers.IntegerField(help_text="0 while it is not known.")
    bytes_per_second = serializers.IntegerField()
    seconds_left = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_source(self, row: ModelFetch) -> str:
        return row.source.partition("?")[0]


class DeletionSerializer(serializers.Serializer[object]):
    name = serializers.CharField(max_length=2000, help_text="As the list gives it.")


class ModelUploadSerializer(serializers.Serializer[ModelUpload]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="Where the next piece begins.")
