"""The API of the signed-in user's current config: the draft that the page of a new run shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from engine.interface.json_types import JsonObject
from presets.config import configs
from presets.config.intake import take_in
from presets.config.serializers import ConfigField, LeftOutSerializer, with_left_out, with_notes
from presets.editor import drafts
from presets.library.api_configs import ENGINE, config_in, engine_of
from presets.models import Draft
from web.api.serializers import read_body
from web.errors import BadInput


class DraftStateSerializer(LeftOutSerializer):
    """The draft's state."""

    changed = ConfigField(read_only=True, help_text="The fields that differ from the engine's defaults.")
    engine = serializers.CharField(read_only=True)
    revision = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="Goes up with every change. Send it with a change: 409 if the draft has changed since.",
    )
    undo = serializers.CharField(
        read_only=True, allow_blank=True, help_text="The step that undo reverts; empty if there is none."
    )
    redo = serializers.CharField(
        read_only=True, allow_blank=True, help_text="The step that redo repeats; empty if there is none."
    )


class CurrentConfigSerializer(DraftStateSerializer):
    config = ConfigField(help_text="The whole config, with defaults filled in.")


class RevisionSerializer(serializers.Serializer):
    revision = serializers.IntegerField(
        required=False, min_value=0, help_text="The revision that the change is based on; the newest if left out."
    )


class FieldChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path, such as optimizer.beta1 or concepts.0.path.")
    value = serializers.JSONField(required=False, allow_null=True)
    unset = serializers.BooleanField(required=False, help_text="true resets the field to its default.")


class ChangesSerializer(RevisionSerializer):
    changes = FieldChangeSerializer(many=True, allow_empty=False, max_length=1000)


class CurrentConfigView(APIView):
    @extend_schema(responses=CurrentConfigSerializer)
    def get(self, request: Request) -> Response:
        """The signed-in user's current config with defaults filled in; the page of a new run shows the same draft."""
        return Response(_whole(drafts.get_draft(request.user)))

    @extend_schema(request=CurrentConfigSerializer, responses=CurrentConfigSerializer, parameters=[ENGINE])
    def put(self, request: Request) -> Response:
        """Replace the current config, as a step that can be undone; the config may be incomplete or wrong."""
        sent, engine = config_in(request), engine_of(request)
        config = take_in(sent).config
        configs.defaults(engine)  # raises BadInput for an unknown engine

        def change(draft: Draft, revision: int) -> Draft:
            return drafts.replace_config(draft, revision, config, engine=engine)

        wrapped = isinstance(request.data.get("config"), dict)
        draft = _change(request, change, request.data.get("revision") if wrapped else None)
        return Response(with_notes(_whole(draft), sent))

    @extend_schema(request=ChangesSerializer, responses=DraftStateSerializer)
    def patch(self, request: Request) -> Response:
        """Change single fields of the current config, as a step that can be undone."""
        body = read_body(request, ChangesSerializer)
        changes = [dict(change) for change in body["changes"]]
        revision = body.get("revision")
        draft = _change(request, lambda draft, known: drafts.apply(draft, known, changes), revision)
        return Response(with_left_out(_state(draft), *({one["field"]: one.get("value")} for one in changes)))


class UndoView(APIView):
    @extend_schema(request=RevisionSerializer, responses=DraftStateSerializer)
    def post(self, request: Request) -> Response:
        """Undo the last step of editing."""
        return Response(_state(_change(request, drafts.undo, _revision(request))))


class RedoView(APIView):
    @extend_schema(request=RevisionSerializer, responses=DraftStateSerializer)
    def post(self, request: Request) -> Response:
        """Redo the step that was undone last."""
        return Response(_state(_change(request, drafts.redo, _revision(request))))


def _revision(request: Request) -> int | None:
    body = read_body(request, RevisionSerializer)
    return body.get("revision")


def _change(request: Request, change: Callable[[Draft, int], Draft], revision: Any) -> Draft:
    """Apply the change to the client's revision, or to the newest one if the client sent none."""
    draft = drafts.get_draft(request.user)
    if revision is None:
        return drafts.retry(draft, lambda newest: change(newest, newest.revision))
    if isinstance(revision, bool) or not isinstance(revision, int):
        raise BadInput("revision must be a whole number.", {"revision": [_("It must be a whole number.")]})
    return change(draft, revision)


def _whole(draft: Draft) -> JsonObject:
    config = configs.full_config(draft.engine, draft.config)
    return CurrentConfigSerializer(_facts(draft) | {"config": config}).data


def _state(draft: Draft) -> JsonObject:
    return DraftStateSerializer(_facts(draft)).data


def _facts(draft: Draft) -> JsonObject:
    undo, redo = drafts.next_labels(draft)
    facts = {"changed": draft.config, "engine": draft.engine, "revision": draft.revision}
    return {**facts, "undo": undo, "redo": redo}
