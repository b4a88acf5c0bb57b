"""What the API says of runs, and what it reads to start them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from presets.errors import BadInput
from presets.serializers import ConfigField, SuccessSerializer


class ProgressSerializer(serializers.Serializer):
    epoch = serializers.IntegerField()
    epoch_step = serializers.IntegerField(help_text="Micro-batches in this epoch.")
    epoch_sample = serializers.IntegerField(help_text="Pictures in this epoch.")
    global_step = serializers.IntegerField(help_text="Micro-batches in all.")


class TrainingProgressSerializer(serializers.Serializer):
    is_training = serializers.BooleanField()
    progress = ProgressSerializer(allow_null=True)
    max_step = serializers.IntegerField(help_text="Micro-batches per epoch.")
    max_epoch = serializers.IntegerField()


class StatusSerializer(TrainingProgressSerializer):
    status = serializers.CharField(help_text="What the trainer says that it does, else the run's status, else idle.")
    error = serializers.CharField(allow_null=True)
    run_id = serializers.UUIDField(allow_null=True)
    run_name = serializers.CharField(allow_null=True)
    run_status = serializers.CharField(allow_null=True)
    phase = serializers.CharField(allow_blank=True, required=False)
    attempt = serializers.IntegerField(required=False)
    loss = serializers.FloatField(allow_null=True, required=False)
    smooth_loss = serializers.FloatField(allow_null=True, required=False)
    steps_per_second = serializers.FloatField(allow_null=True, required=False)
    eta_seconds = serializers.FloatField(allow_null=True, required=False)
    queue_length = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True, required=False)
    ended_at = serializers.DateTimeField(allow_null=True, required=False)


class StartSerializer(serializers.Serializer):
    """Where the config comes from, and what is changed in it: at least one of the first three is needed."""

    config_path = serializers.CharField(required=False, help_text="A file under an allowed root, on the server.")
    config_dict = ConfigField(required=False, help_text="A config; what is left out keeps its default.")
    preset = serializers.CharField(required=False, help_text="A preset's name.")
    overrides = ConfigField(required=False, help_text="Laid over all else.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    engine = serializers.CharField(required=False, default="builtin")

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "config_path" in data and "config_dict" in data:
            raise BadInput("Send either config_path or config_dict, not both.")
        if not data.keys() & {"config_path", "config_dict", "preset"}:
            raise BadInput("Say what to train: send config_path, config_dict or preset.")
        return data


class StartedSerializer(SuccessSerializer):
    run_id = serializers.UUIDField()
