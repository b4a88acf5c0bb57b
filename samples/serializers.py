"""What the API reports about samples, and what it reads to generate one."""

from __future__ import annotations

from rest_framework import serializers

from samples.models import Sample


class SampleSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    timestamp = serializers.DateTimeField()
    path = serializers.CharField()
    url = serializers.CharField()
    metadata = serializers.DictField(help_text="Its settings, step, run and thumbnail.")

    def to_representation(self, sample: Sample) -> dict:
        return sample.to_dict()


class SampleListSerializer(serializers.Serializer):
    samples = SampleSerializer(many=True)


class FavouriteSerializer(serializers.Serializer):
    favourite = serializers.BooleanField()


class CustomSampleSerializer(serializers.Serializer):
    """For the OpenAPI document: `presets.config.configs.sample_settings` checks them and other SampleConfig fields."""

    prompt = serializers.CharField()
    negative_prompt = serializers.CharField(required=False, allow_blank=True)
    seed = serializers.IntegerField(required=False)
    random_seed = serializers.BooleanField(required=False)
    steps = serializers.IntegerField(required=False, help_text="Another name for diffusion_steps.")
    diffusion_steps = serializers.IntegerField(required=False)
    cfg_scale = serializers.FloatField(required=False)
    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)
    noise_scheduler = serializers.CharField(required=False)
