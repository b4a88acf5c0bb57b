"""Serializers of hosts, workers and jobs."""

from __future__ import annotations

from rest_framework import serializers

from system.models import Worker
from web.api.serializers import OnlyKnownFields


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
    session = serializers.IntegerField(allow_null=True, help_text="The process id of a training.")


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
    run_id = serializers.SerializerMethodField(help_text="The run that the worker trains now.")

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


class WorkerChangeSerializer(OnlyKnownFields):
    drain = serializers.BooleanField(help_text="Whether the worker claims no more runs; its present run continues.")
