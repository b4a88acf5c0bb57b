"""The serializers of runs, and of the requests that start them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from engine.interface.json_types import JsonObject
from presets.config.serializers import ChangeSerializer, ConfigField, LeftOutSerializer
from training.models import Artifact, Run, RunCommand, RunEvent, SavedView
from training.progress.endings import ENDINGS, cure_of
from training.progress.state import how_it_ended, why_stale
from training.progress.time_left import seconds_left
from web.api.serializers import OnlyKnownFields, SuccessSerializer
from web.errors import BadInput

RETRIES = "How often it is retried after a kill, a crash or a power cut; each new backup resets the count."
KILLED = "When a stopping run is killed if it has not stopped by then; null if no stop was requested."
GOES_ON = "When it is continued automatically; null if it does not wait for that."

WAITS = "Why it would wait in the queue even if a worker were free, in one sentence; otherwise empty."
STALE = "Why this state may be out of date, such as a silent worker; empty if all is well."


class ProgressSerializer(serializers.Serializer):
    epoch = serializers.IntegerField()
    epoch_step = serializers.IntegerField(help_text="Micro-batches in this epoch.")
    epoch_sample = serializers.IntegerField(help_text="Pictures in this epoch.")
    global_step = serializers.IntegerField(help_text="Micro-batches in total.")


class TrainingProgressSerializer(serializers.Serializer):
    is_training = serializers.BooleanField()
    progress = ProgressSerializer(allow_null=True)
    max_step = serializers.IntegerField(help_text="Micro-batches per epoch.")
    max_epoch = serializers.IntegerField()


class ActivitySerializer(serializers.Serializer):
    phase = serializers.CharField(help_text="fetching, starting, loading or caching.")
    current = serializers.IntegerField(allow_null=True, help_text="Percent while fetching, pictures while caching.")
    total = serializers.IntegerField(allow_null=True)
    fraction = serializers.FloatField(allow_null=True, help_text="From 0 to 1; null while it is not known.")
    text = serializers.CharField()


class StatusSerializer(TrainingProgressSerializer):
    status = serializers.CharField(help_text="The trainer's current action, else the run's status, else idle.")
    error = serializers.CharField(allow_null=True)
    run_id = serializers.UUIDField(allow_null=True)
    run_name = serializers.CharField(allow_null=True)
    run_status = serializers.CharField(allow_null=True)
    stale = serializers.CharField(allow_blank=True, required=False, help_text=STALE)
    waits_for = serializers.CharField(allow_blank=True, required=False, help_text=WAITS)
    phase = serializers.CharField(allow_blank=True, required=False)
    activity = ActivitySerializer(
        allow_null=True, required=False, help_text="What it does before its first step; null once it trains."
    )
    attempt = serializers.IntegerField(required=False)
    loss = serializers.FloatField(allow_null=True, required=False)
    smooth_loss = serializers.FloatField(allow_null=True, required=False)
    steps_per_second = serializers.FloatField(allow_null=True, required=False)
    eta_seconds = serializers.FloatField(allow_null=True, required=False)
    queue_length = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True, required=False)
    ended_at = serializers.DateTimeField(allow_null=True, required=False)
    error_reason = serializers.ChoiceField(sorted(ENDINGS), allow_null=True, required=False)
    ending = serializers.CharField(allow_null=True, required=False, help_text="How it ended, in one sentence.")
    cure = serializers.CharField(allow_null=True, required=False, help_text="What you can do about it.")
    killed_after = serializers.DateTimeField(allow_null=True, required=False, help_text=KILLED)
    start_after = serializers.DateTimeField(allow_null=True, required=False, help_text=GOES_ON)


class StartSerializer(serializers.Serializer):
    """The source of the config, and changes to it: at least one of the first three is required."""

    config_path = serializers.CharField(required=False, help_text="A file on the server, in an allowed folder.")
    config_dict = ConfigField(required=False, help_text="A config; missing fields have their defaults.")
    preset = serializers.CharField(required=False, help_text="A preset's name.")
    overrides = ConfigField(required=False, help_text="Applied last, over everything else.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    engine = serializers.CharField(required=False, default="builtin")

    def validate(self, data: JsonObject) -> JsonObject:
        if "config_path" in data and "config_dict" in data:
            raise BadInput(_("Send either config_path or config_dict, not both."))
        if not data.keys() & {"config_path", "config_dict", "preset"}:
            raise BadInput(_("There is no config: send config_path, config_dict or preset."))
        return data


class StartedSerializer(LeftOutSerializer, SuccessSerializer):
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
    max_step = serializers.IntegerField(
        source="progress.max_step", read_only=True, help_text="Micro-batches per epoch."
    )
    max_epoch = serializers.IntegerField(source="progress.max_epoch", read_only=True)
    total_steps = serializers.IntegerField(source="progress.total_steps", read_only=True)
    fraction_done = serializers.FloatField(source="progress.fraction_done", read_only=True)
    loss = serializers.FloatField(source="progress.loss", read_only=True, allow_null=True)
    smooth_loss = serializers.FloatField(source="progress.smooth_loss", read_only=True, allow_null=True)
    steps_per_second = serializers.FloatField(source="progress.steps_per_second", read_only=True, allow_null=True)
    eta_seconds = serializers.SerializerMethodField()
    stale = serializers.SerializerMethodField(help_text=STALE)
    favourite = serializers.BooleanField(
        source="is_favourite", read_only=True, help_text="Whether it is your favourite."
    )
    error_reason = serializers.ChoiceField(sorted(ENDINGS), allow_blank=True, read_only=True)
    cure = serializers.SerializerMethodField(help_text="What you can do about how it ended.")

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
            "cure",
            "owner",
            "preset",
            "parent",
            "tags",
            "favourite",
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
            "stale",
            "created_at",
            "queued_at",
            "started_at",
            "ended_at",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(RunPresetSerializer(allow_null=True))
    def get_preset(self, run: Run) -> Any:
        return RunPresetSerializer(run).data if run.preset else None

    def get_eta_seconds(self, run: Run) -> float | None:
        return seconds_left(run)

    def get_cure(self, run: Run) -> str:
        return cure_of(run)

    def get_stale(self, run: Run) -> str:
        return why_stale(run)

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: Run) -> dict[str, int]:
        return run.progress.to_dict()


class RunDetailSerializer(LeftOutSerializer, RunSerializer):
    """A run with all of its short fields."""

    is_watched = serializers.BooleanField(
        read_only=True, help_text="Whether it trains outside this site, which follows but cannot control it."
    )

    ending = serializers.SerializerMethodField(help_text="How it ended, in one sentence.")
    killed_after = serializers.DateTimeField(read_only=True, allow_null=True, help_text=KILLED)
    start_after = serializers.DateTimeField(read_only=True, allow_null=True, help_text=GOES_ON)
    memory_peak = serializers.IntegerField(
        source="progress.memory_peak",
        read_only=True,
        allow_null=True,
        help_text="Measured bytes on the training device.",
    )

    class Meta(RunSerializer.Meta):
        fields = (
            *RunSerializer.Meta.fields,
            "source",
            "is_watched",
            "notes",
            "ending",
            "traceback",
            "log_tail",
            "resume_from",
            "weights_from",
            "retries",
            "retries_left",
            "killed_after",
            "start_after",
            "warnings",
            "status_changed_at",
            "memory_estimate",
            "memory_peak",
        )
        read_only_fields = fields

    def get_ending(self, run: Run) -> str:
        return how_it_ended(run)


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
    """A run with the command sent to it; stopping a queued run cancels it without a command."""

    run = RunDetailSerializer()
    command = CommandSerializer(allow_null=True)


class TagsField(serializers.ListField):
    child = serializers.CharField(max_length=50)

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 50} | options)


class RunChangeSerializer(OnlyKnownFields):
    """The fields of a run that can be changed at any time."""

    name = serializers.CharField(max_length=200, required=False)
    notes = serializers.CharField(allow_blank=True, max_length=100_000, required=False)
    tags = TagsField(required=False)
    favourite = serializers.BooleanField(required=False, help_text="Whether it is your favourite.")
    priority = serializers.IntegerField(
        min_value=-1000, max_value=1000, required=False, help_text="A higher number starts sooner."
    )
    retries = serializers.IntegerField(min_value=0, max_value=1000, required=False, help_text=RETRIES)


class NewRunSerializer(StartSerializer):
    """The fields of a single-trainer start, and more fields of a run."""

    config = ConfigField(required=False, help_text="Another name for config_dict.")
    notes = serializers.CharField(allow_blank=True, max_length=100_000, required=False)
    tags = TagsField(required=False)
    priority = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)
    retries = serializers.IntegerField(min_value=0, max_value=1000, required=False, help_text=RETRIES)

    def validate(self, data: JsonObject) -> JsonObject:
        if "config" in data:
            data.setdefault("config_dict", data.pop("config"))
        return super().validate(data)


class StopSerializer(serializers.Serializer):
    now = serializers.BooleanField(
        default=False, help_text="Kill its process at once; all progress after its last backup is lost."
    )


class ResumeSerializer(serializers.Serializer):
    backup = serializers.UUIDField(required=False, help_text="An artifact's id; by default the newest complete backup.")
    epochs = serializers.IntegerField(
        required=False, min_value=1, help_text="The new total of epochs; required if all planned epochs are trained."
    )
    only_check = serializers.BooleanField(
        required=False, help_text="true only compares the data with the backup's: the run stays as it is."
    )


class RestartSerializer(serializers.Serializer):
    weights = serializers.UUIDField(
        required=False,
        help_text="An artifact's id: the new run starts with its weights, at step 0; with the base model if left out.",
    )


class DuplicateSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=200, allow_blank=True, required=False)
    overrides = ConfigField(required=False, help_text="Changes to the config.")


class SampleRequestSerializer(serializers.Serializer):
    """Without a prompt, samples of the run's own prompts are generated."""

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
    sha256 = serializers.CharField(allow_blank=True, help_text="Hash of the file, or of a folder's manifest.json.")
    global_step = serializers.IntegerField()
    epoch = serializers.IntegerField()
    attempt = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    exists = serializers.BooleanField()
    is_damaged = serializers.BooleanField(help_text="Whether an attempt to continue from it failed.")
    pinned = serializers.BooleanField(help_text="Whether it is kept against all policies.")
    deleted_at = serializers.DateTimeField(allow_null=True, help_text="When its files were deleted.")
    deleted_why = serializers.CharField(allow_blank=True)
    url = serializers.CharField()

    def to_representation(self, artifact: Artifact) -> JsonObject:
        return {**artifact.to_dict(), "url": f"/api/runs/{artifact.run_id}/artifacts/{artifact.pk}/file"}


class ArtifactChangeSerializer(serializers.Serializer):
    pinned = serializers.BooleanField(help_text="true so that neither policy nor clean-up deletes it.")


class NewestSerializer(serializers.Serializer):
    keep = serializers.IntegerField(
        min_value=1,
        max_value=100_000,
        allow_null=True,
        default=None,
        help_text="The number of newest items to keep; null keeps all.",
    )


class RuleSerializer(NewestSerializer):
    every = serializers.IntegerField(
        min_value=1,
        max_value=100_000,
        allow_null=True,
        default=None,
        help_text="Also keep every Nth older item; null keeps none of them.",
    )


class RetentionSerializer(serializers.Serializer):
    backups = RuleSerializer(required=False)
    saves = RuleSerializer(required=False)
    samples = RuleSerializer(required=False, help_text="Counted in steps with samples of the run's own prompts.")
    custom_samples = NewestSerializer(required=False, help_text="Samples that users requested.")


class SavedViewSerializer(serializers.ModelSerializer):
    name = serializers.CharField(max_length=60)
    query = serializers.CharField(
        max_length=2000,
        allow_blank=True,
        default="",
        help_text="Filters and order as in the table's address, such as status=failed&sort=-loss.",
    )
    url = serializers.SerializerMethodField(help_text="The page that shows it.")

    class Meta:
        model = SavedView
        fields = ("id", "name", "query", "url", "created_at")
        read_only_fields = ("created_at",)

    def get_url(self, view: SavedView) -> str:
        return f"/runs/?{view.query}"


class CurveSerializer(serializers.Serializer):
    steps = serializers.ListField(child=serializers.IntegerField())
    values = serializers.ListField(child=serializers.FloatField())
    times = serializers.ListField(child=serializers.FloatField(), help_text="Seconds since 1970.")


class SeriesSerializer(CurveSerializer):
    total = serializers.IntegerField(help_text="The number of values without thinning.")
    means = CurveSerializer(required=False, help_text="The mean of each interval that is reduced to its extremes.")


class MetricsSerializer(serializers.Serializer):
    run_id = serializers.UUIDField()
    tags = serializers.ListField(child=serializers.CharField(), help_text="All measured series.")
    series = serializers.DictField(child=SeriesSerializer(), help_text="By tag.")


class LogSerializer(serializers.Serializer):
    attempt = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="The first byte of the text.")
    next_offset = serializers.IntegerField(help_text="The offset of the next part.")
    size = serializers.IntegerField(help_text="The current length of the log in bytes.")
    text = serializers.CharField(allow_blank=True)


class RunDiffSerializer(serializers.Serializer):
    against = serializers.CharField(help_text="A run's id, preset or defaults.")
    changes = ChangeSerializer(many=True)
