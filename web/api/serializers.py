"""Parts of answers that the APIs of all apps share."""

from __future__ import annotations

import uuid

from rest_framework import serializers


class SuccessSerializer(serializers.Serializer):
    success = serializers.BooleanField(default=True)
    message = serializers.CharField()


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
