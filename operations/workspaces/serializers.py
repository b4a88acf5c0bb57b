"""Imports of OneTrainer workspaces in the API."""

from __future__ import annotations

from rest_framework import serializers

from engine.interface.json_types import JsonObject
from system.models import Job


class ImportRequestSerializer(serializers.Serializer):
    path = serializers.CharField(
        max_length=1000, help_text="The workspace's folder on the server, in an allowed folder."
    )
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=150, help_text="The folder's name if it is left out."
    )
    follow = serializers.BooleanField(
        required=False, default=True, help_text="Whether to continue until a training in it ends."
    )


class ImportSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    path = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    follow = serializers.BooleanField()
    status = serializers.ChoiceField(Job.Status.choices)
    detail = serializers.CharField(allow_blank=True, help_text="Its progress or result: one sentence.")
    runs = serializers.ListField(child=serializers.UUIDField(), help_text="The ids of its runs.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, job: Job) -> JsonObject:
        shown = {name: getattr(job, name) for name in ("id", "status", "detail", "created_at", "ended_at")}
        return {**shown, **job.arguments, "runs": job.result.get("runs", [])}
