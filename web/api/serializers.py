"""Bodies and parts of responses that the APIs of all apps share."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from engine.interface.json_types import JsonObject
from web.errors import BadInput


def read_body(request: Request, kind: type[serializers.Serializer], partial: bool = False) -> JsonObject:
    """The request's body, validated by this serializer; raises DRF's ValidationError."""
    body = kind(data=request.data, partial=partial)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class OnlyKnownFields(serializers.Serializer):
    """Refuses a body with an unknown field, since a misspelt field would change nothing."""

    def validate(self, data: JsonObject) -> JsonObject:
        if unknown := sorted(set(self.initial_data) - set(self.fields)):
            sentence = _("There is no field %(unknown)s here: use %(known)s.") % {
                "unknown": ", ".join(unknown)[:200],
                "known": ", ".join(self.fields),
            }
            raise BadInput(sentence, {unknown[0][:100]: [sentence]})
        return data


class SuccessSerializer(serializers.Serializer):
    success = serializers.BooleanField(default=True)
    message = serializers.CharField()
