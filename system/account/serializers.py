"""Serializers of the signed-in user."""

from rest_framework import serializers

from system.account.tokens import LONGEST_DAYS
from system.models import ApiToken


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    is_admin = serializers.BooleanField()
    may_train = serializers.BooleanField()
    has_token = serializers.BooleanField()
    scope = serializers.ChoiceField(
        ApiToken.Scope.choices, help_text="What the token of this request may do; `admin` is no limit."
    )


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
    civitai_token = serializers.CharField(required=False, allow_null=True, max_length=1_000)


class ApiTokenSerializer(serializers.ModelSerializer):
    class Meta:
        model = ApiToken
        times = ["created_at", "expires_at", "has_expired", "last_used_at"]
        fields = ["id", "name", "scope", "start", "is_for_jwt", *times]
        read_only_fields = fields


class ApiTokensSerializer(serializers.Serializer):
    tokens = ApiTokenSerializer(many=True)


class NewApiTokenSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=60)
    scope = serializers.ChoiceField(ApiToken.Scope.choices, default="train")
    days = serializers.IntegerField(
        min_value=1,
        max_value=LONGEST_DAYS,
        default=None,
        allow_null=True,
        help_text="Until it expires; null for no end.",
    )


class ShownApiTokenSerializer(ApiTokenSerializer):
    token = serializers.CharField(help_text="The token itself, which is shown only now.")

    class Meta(ApiTokenSerializer.Meta):
        fields = [*ApiTokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


class NewTokenPairSerializer(serializers.Serializer):
    username = serializers.CharField(required=False, max_length=150)
    password = serializers.CharField(required=False, max_length=4096, trim_whitespace=False)
    scope = serializers.ChoiceField(ApiToken.Scope.choices, required=False)


class TokenPairSerializer(serializers.Serializer):
    access = serializers.CharField()
    refresh = serializers.CharField()
    scope = serializers.ChoiceField(ApiToken.Scope.choices)
    expires_in = serializers.IntegerField(help_text="Seconds until `access` expires.")


class RefreshTokenSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=2000)


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the ticket expires.")
