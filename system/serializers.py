"""What the API says of hosts, workers and what those do beside training."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from presets.errors import BadInput
from system.models import Job, Worker
from system.queue import Lane, Waiting
from training.models import Run
from training.queueing import LEAST_PRIORITY, MOST_PRIORITY


class OsSerializer(serializers.Serializer):
    name = serializers.CharField()
    version = serializers.CharField()
    platform = serializers.CharField()
    hostname = serializers.CharField()
    python = serializers.CharField()


class CpuSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    usage_percent = serializers.FloatField()


class MemorySerializer(serializers.Serializer):
    total_gb = serializers.FloatField()
    used_gb = serializers.FloatField()
    available_gb = serializers.FloatField()
    usage_percent = serializers.FloatField()


class DiskSerializer(serializers.Serializer):
    total_gb = serializers.FloatField()
    used_gb = serializers.FloatField()
    free_gb = serializers.FloatField()
    usage_percent = serializers.FloatField()


class GpuUserSerializer(serializers.Serializer):
    pid = serializers.IntegerField()
    name = serializers.CharField()
    memory_gb = serializers.FloatField()
    session = serializers.IntegerField(allow_null=True, help_text="Of a training, the number of its process.")


class DeviceSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    uuid = serializers.CharField()
    memory_total_gb = serializers.FloatField()
    memory_allocated_gb = serializers.FloatField()
    memory_reserved_gb = serializers.FloatField()
    usage_percent = serializers.FloatField()
    temperature_c = serializers.FloatField()
    power_w = serializers.FloatField()
    clock_mhz = serializers.FloatField()
    users = GpuUserSerializer(many=True)


class GpuSerializer(serializers.Serializer):
    available = serializers.BooleanField()
    count = serializers.IntegerField()
    devices = DeviceSerializer(many=True)


class HostInfoSerializer(serializers.Serializer):
    os = OsSerializer()
    cpu = CpuSerializer()
    memory = MemorySerializer()
    disk = DiskSerializer()
    gpu = GpuSerializer()


class GpuMemorySerializer(serializers.Serializer):
    device = serializers.IntegerField()
    allocated_percent = serializers.FloatField()
    reserved_percent = serializers.FloatField()


class HostResourcesSerializer(serializers.Serializer):
    cpu_percent = serializers.FloatField()
    memory_percent = serializers.FloatField()
    disk_percent = serializers.FloatField()
    gpu_memory = GpuMemorySerializer(many=True)


class ProcessSerializer(serializers.Serializer):
    pid = serializers.IntegerField()
    cpu_percent = serializers.FloatField()
    memory_percent = serializers.FloatField()
    memory_mb = serializers.FloatField()
    num_threads = serializers.IntegerField()
    status = serializers.CharField()


class WorkerSerializer(serializers.ModelSerializer):
    is_alive = serializers.BooleanField(read_only=True)
    run_id = serializers.SerializerMethodField(help_text="The run that it trains now.")

    class Meta:
        model = Worker
        fields = (
            "id",
            "name",
            "host",
            "gpu",
            "device_name",
            "status",
            "is_alive",
            "drain",
            "run_id",
            "resources",
            "started_at",
            "heartbeat_at",
        )

    def get_run_id(self, worker: Worker) -> str | None:
        return next((str(run.pk) for run in worker.runs.all() if run.is_active), None)


class WorkerChangeSerializer(serializers.Serializer):
    drain = serializers.BooleanField(help_text="Whether it takes no further run; what it trains goes on.")

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise BadInput(_("Only drain can be set, not %(unknown)s.") % {"unknown": ", ".join(sorted(unknown))[:200]})
        return data


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


class LaneSerializer(serializers.Serializer):
    worker = serializers.CharField()
    state = serializers.CharField(help_text="idle, busy, draining, offline, or lost where it died without a word.")
    run_id = serializers.UUIDField(allow_null=True, help_text="What it trains.")
    free_at = serializers.DateTimeField(allow_null=True, help_text="About when it takes the next run.")

    def to_representation(self, lane: Lane) -> dict[str, Any]:
        shown = {"worker": lane.worker.name, "state": lane.state, "run_id": lane.run and str(lane.run.pk)}
        return {**shown, "free_at": lane.free_at}


class WaitingSerializer(serializers.Serializer):
    run_id = serializers.UUIDField()
    name = serializers.CharField()
    position = serializers.IntegerField(help_text="1 is next.")
    reason = serializers.CharField(help_text="Why it does not start yet: one sentence.")
    priority = serializers.IntegerField()
    held = serializers.BooleanField()
    start_after = serializers.DateTimeField(allow_null=True)
    after_run = serializers.UUIDField(allow_null=True)
    after_end = serializers.ChoiceField(Run.AfterEnd.choices)
    starts_at = serializers.DateTimeField(allow_null=True, help_text="About when, by how long such runs took.")
    ends_at = serializers.DateTimeField(allow_null=True)
    worker = serializers.CharField(allow_blank=True, help_text="Which worker is expected to train it.")

    def to_representation(self, one: Waiting) -> dict[str, Any]:
        run = one.run
        plan = {name: getattr(run, name) for name in ("name", "priority", "start_after", "after_end")}
        before = run.after_run_id and str(run.after_run_id)
        shown = {"run_id": str(run.pk), "position": one.number, "reason": one.reason, **plan, "after_run": before}
        times = {"starts_at": one.starts_at, "ends_at": one.ends_at, "worker": one.worker}
        return {**shown, "held": run.held_at is not None, **times}


class QueueSerializer(serializers.Serializer):
    lanes = LaneSerializer(many=True)
    waiting = WaitingSerializer(many=True, help_text="Those that start first, 200 at most.")
    length = serializers.IntegerField(help_text="How many wait in all.")


class QueuePlanSerializer(serializers.Serializer):
    """When a waiting run starts; what is left out stays as it is."""

    position = serializers.IntegerField(min_value=1, max_value=10**9, required=False, help_text="1 is next.")
    priority = serializers.IntegerField(
        min_value=LEAST_PRIORITY, max_value=MOST_PRIORITY, required=False, help_text="Higher is sooner."
    )
    held = serializers.BooleanField(required=False, help_text="Whether it stays in the queue until it is let go.")
    start_after = serializers.DateTimeField(required=False, allow_null=True, help_text="It does not start before this.")
    after_run = serializers.UUIDField(required=False, allow_null=True, help_text="A run that it starts after.")
    after_end = serializers.ChoiceField(
        Run.AfterEnd.choices, required=False, help_text="Whether that run has to finish, or to end in any way."
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise BadInput(
                _("Only %(fields)s can be set, not %(unknown)s.")
                % {"fields": ", ".join(self.fields), "unknown": ", ".join(sorted(unknown))[:200]}
            )
        if data.get("after_run"):
            data["after_run"] = Run.objects.filter(pk=data["after_run"]).first()
            if data["after_run"] is None:
                sentence = _("There is no such run.")
                raise BadInput(f"after_run: {sentence}", {"after_run": [sentence]})
        return data
