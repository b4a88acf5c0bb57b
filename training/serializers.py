"""What the API says of runs, and what it reads to start them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from presets.errors import BadInput
from presets.serializers import ChangeSerializer, ConfigField, SuccessSerializer
from training.models import Artifact, Run, RunCommand, RunEvent


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


class RunPresetSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="preset.pk")
    name = serializers.CharField(source="preset.name")
    version = serializers.IntegerField(source="preset_version.number", default=None, allow_null=True)


class RunSerializer(serializers.ModelSerializer):
    """A run as lists show it."""

    owner = serializers.CharField(source="owner.username", default=None, allow_null=True, read_only=True)
    worker = serializers.CharField(source="worker.name", default=None, allow_null=True, read_only=True)
    preset = serializers.SerializerMethodField()
    parent = serializers.UUIDField(source="parent_id", allow_null=True, read_only=True)
    progress = serializers.SerializerMethodField()
    total_steps = serializers.IntegerField(read_only=True)
    fraction_done = serializers.FloatField(read_only=True)
    eta_seconds = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
            "id",
            "name",
            "engine",
            "status",
            "status_text",
            "phase",
            "error",
            "error_reason",
            "owner",
            "preset",
            "parent",
            "tags",
            "priority",
            "worker",
            "attempt",
            "progress",
            "max_step",
            "max_epoch",
            "total_steps",
            "fraction_done",
            "loss",
            "smooth_loss",
            "steps_per_second",
            "eta_seconds",
            "created_at",
            "queued_at",
            "started_at",
            "ended_at",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(RunPresetSerializer(allow_null=True))
    def get_preset(self, run: Run) -> Any:
        return RunPresetSerializer(run).data if run.preset else None

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: Run) -> dict[str, int]:
        return run.progress()


class RunDetailSerializer(RunSerializer):
    """A run with all that is short enough."""

    is_watched = serializers.BooleanField(
        read_only=True, help_text="Whether it trains outside of this site, which follows it and cannot steer it."
    )

    class Meta(RunSerializer.Meta):
        fields = (
            *RunSerializer.Meta.fields,
            "source",
            "is_watched",
            "notes",
            "traceback",
            "resume_from",
            "retries_left",
            "status_changed_at",
            "memory_estimate",
            "memory_peak",
        )
        read_only_fields = fields


class CommandSerializer(serializers.ModelSerializer):
    requested_by = serializers.CharField(source="requested_by.username", default=None, allow_null=True, read_only=True)

    class Meta:
        model = RunCommand
        fields = (
            "id",
            "kind",
            "arguments",
            "status",
            "detail",
            "attempt",
            "requested_by",
            "requested_at",
            "delivered_at",
            "ended_at",
        )
        read_only_fields = fields


class AskedRunSerializer(serializers.Serializer):
    """What was asked of a run; a queued run that was stopped is cancelled without a command."""

    run = RunDetailSerializer()
    command = CommandSerializer(allow_null=True)


class TagsField(serializers.ListField):
    child = serializers.CharField(max_length=50)

    def __init__(self, **options: Any):
        super().__init__(**{"max_length": 50} | options)


class RunChangeSerializer(serializers.Serializer):
    """What may be changed of a run at any time."""

    name = serializers.CharField(max_length=200, required=False)
    notes = serializers.CharField(allow_blank=True, max_length=100_000, required=False)
    tags = TagsField(required=False)
    priority = serializers.IntegerField(min_value=-1000, max_value=1000, required=False, help_text="Higher is sooner.")

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise BadInput(f"Only {', '.join(self.fields)} can be changed, not {', '.join(sorted(unknown))[:200]}.")
        return data


class NewRunSerializer(StartSerializer):
    """As for a start of the single trainer, with what else a run can be given."""

    config = ConfigField(required=False, help_text="Another name for config_dict.")
    notes = serializers.CharField(allow_blank=True, max_length=100_000, required=False)
    tags = TagsField(required=False)
    priority = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "config" in data:
            data.setdefault("config_dict", data.pop("config"))
        return super().validate(data)


class ResumeSerializer(serializers.Serializer):
    backup = serializers.UUIDField(required=False, help_text="An artifact's id; the newest whole backup without it.")


class DuplicateSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=200, allow_blank=True, required=False)
    overrides = ConfigField(required=False, help_text="What the new run does otherwise.")


class SampleRequestSerializer(serializers.Serializer):
    """Without a prompt, the run's own sample prompts are drawn."""

    prompt = serializers.CharField(required=False)
    negative_prompt = serializers.CharField(required=False, allow_blank=True)
    seed = serializers.IntegerField(required=False)
    diffusion_steps = serializers.IntegerField(required=False)
    cfg_scale = serializers.FloatField(required=False)
    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)


class EventSerializer(serializers.ModelSerializer):
    user = serializers.CharField(source="user.username", default=None, allow_null=True, read_only=True)

    class Meta:
        model = RunEvent
        fields = ("id", "at", "attempt", "kind", "data", "user")
        read_only_fields = fields


class ArtifactSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    kind = serializers.ChoiceField(Artifact.Kind.choices)
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField(allow_blank=True, help_text="Of a single file.")
    global_step = serializers.IntegerField()
    epoch = serializers.IntegerField()
    attempt = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    exists = serializers.BooleanField()
    url = serializers.CharField()

    def to_representation(self, artifact: Artifact) -> dict[str, Any]:
        return {**artifact.to_dict(), "url": f"/api/runs/{artifact.run_id}/artifacts/{artifact.pk}/file"}


class SeriesSerializer(serializers.Serializer):
    steps = serializers.ListField(child=serializers.IntegerField())
    values = serializers.ListField(child=serializers.FloatField())
    times = serializers.ListField(child=serializers.FloatField(), help_text="Seconds since 1970.")
    total = serializers.IntegerField(help_text="How many there are without thinning.")


class MetricsSerializer(serializers.Serializer):
    run_id = serializers.UUIDField()
    tags = serializers.ListField(child=serializers.CharField(), help_text="All that were measured.")
    series = serializers.DictField(child=SeriesSerializer(), help_text="By tag.")


class LogSerializer(serializers.Serializer):
    attempt = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="Where the text begins, in bytes.")
    next_offset = serializers.IntegerField(help_text="Where to read on.")
    size = serializers.IntegerField(help_text="How long the log is now.")
    text = serializers.CharField(allow_blank=True)


class RunDiffSerializer(serializers.Serializer):
    against = serializers.CharField(help_text="A run's id, preset or defaults.")
    changes = ChangeSerializer(many=True)
