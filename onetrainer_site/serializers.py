"""What the API says of the signed-in user."""

from rest_framework import serializers


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    is_admin = serializers.BooleanField()
    may_train = serializers.BooleanField()
    has_token = serializers.BooleanField()


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField()
