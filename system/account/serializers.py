"""Serializers of the signed-in user."""

from rest_framework import serializers


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    is_admin = serializers.BooleanField()
    may_train = serializers.BooleanField()
    has_token = serializers.BooleanField()


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField()


class SecretSerializer(serializers.Serializer):
    name = serializers.CharField()
    is_set = serializers.BooleanField()
    updated_at = serializers.DateTimeField(allow_null=True)


class SecretsSerializer(serializers.Serializer):
    secrets = SecretSerializer(many=True)


class NewSecretsSerializer(serializers.Serializer):
    huggingface_token = serializers.CharField(required=False, allow_null=True, max_length=1_000)
