"""What the API says of imports of OneTrainer workspaces."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from system.models import Job


class ImportRequestSerializer(serializers.Serializer):
    path = serializers.CharField(
        max_length=1000, help_text="The workspace's folder on the server, below an allowed root."
    )
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=150, help_text="The folder's name without it."
    )
    follow = serializers.BooleanField(
        required=False, default=True, help_text="Whether to go on until a training in it ends."
    )


class ImportSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    path = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    follow = serializers.BooleanField()
    status = serializers.ChoiceField(Job.Status.choices)
    detail = serializers.CharField(allow_blank=True, help_text="How it stands or went: one sentence.")
    runs = serializers.ListField(child=serializers.UUIDField(), help_text="The runs that came of it, by their ids.")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, job: Job) -> dict[str, Any]:
        shown = {name: getattr(job, name) for name in ("id", "status", "detail", "created_at", "ended_at")}
        return {**shown, **job.arguments, "runs": job.result.get("runs", [])}
