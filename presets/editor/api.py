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

from presets.config import configs
from presets.config.serializers import ConfigField, LeftOutSerializer, with_left_out
from presets.editor import drafts
from presets.library.api_configs import ENGINE, config_in, engine_of
from presets.models import Draft
from web.api.serializers import read_body
from web.errors import BadInput


class DraftStateSerializer(LeftOutSerializer):
    """Where the draft stands."""

    changed = ConfigField(read_only=True, help_text="Of the config, what differs from the engine's defaults.")
    engine = serializers.CharField(read_only=True)
    revision = serializers.IntegerField(
        required=False, min_value=0, help_text="Goes up with every change; sent back, a change elsewhere gives 409."
    )
    undo = serializers.CharField(read_only=True, allow_blank=True, help_text="What undo would take back.")
    redo = serializers.CharField(read_only=True, allow_blank=True, help_text="What redo would make again.")


class CurrentConfigSerializer(DraftStateSerializer):
    config = ConfigField(help_text="The whole config with the defaults.")


class RevisionSerializer(serializers.Serializer):
    revision = serializers.IntegerField(
        required=False, min_value=0, help_text="What the change was made on; the newest where it is left out."
    )


class FieldChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="A dotted path, such as optimizer.beta1 or concepts.0.path.")
    value = serializers.JSONField(required=False, allow_null=True)
    unset = serializers.BooleanField(required=False, help_text="true gives the field its default back.")


class ChangesSerializer(RevisionSerializer):
    changes = FieldChangeSerializer(many=True, allow_empty=False, max_length=1000)


class CurrentConfigView(APIView):
    @extend_schema(responses=CurrentConfigSerializer)
    def get(self, request: Request) -> Response:
        """The signed-in user's current config, complete with the defaults; the page of a new run shows the same."""
        return Response(_whole(drafts.get_draft(request.user)))

    @extend_schema(request=CurrentConfigSerializer, responses=CurrentConfigSerializer, parameters=[ENGINE])
    def put(self, request: Request) -> Response:
        """Make a config the current one, as a step that can be undone; it may be half done or wrong."""
        config, engine = config_in(request), engine_of(request)
        configs.defaults(engine)  # raises BadInput for an engine that is not there

        def change(draft: Draft, revision: int) -> Draft:
            return drafts.replace_config(draft, revision, config, engine=engine)

        wrapped = isinstance(request.data.get("config"), dict)
        draft = _change(request, change, request.data.get("revision") if wrapped else None)
        return Response(with_left_out(_whole(draft), config))

    @extend_schema(request=ChangesSerializer, responses=DraftStateSerializer)
    def patch(self, request: Request) -> Response:
        """Change single fields of the current config, as a step that can be undone."""
        asked = read_body(request, ChangesSerializer)
        changes = [dict(change) for change in asked["changes"]]
        revision = asked.get("revision")
        draft = _change(request, lambda draft, known: drafts.apply(draft, known, changes), revision)
        return Response(with_left_out(_state(draft), *({one["field"]: one.get("value")} for one in changes)))


class UndoView(APIView):
    @extend_schema(request=RevisionSerializer, responses=DraftStateSerializer)
    def post(self, request: Request) -> Response:
        """Take the last step of editing back."""
        return Response(_state(_change(request, drafts.undo, _revision(request))))


class RedoView(APIView):
    @extend_schema(request=RevisionSerializer, responses=DraftStateSerializer)
    def post(self, request: Request) -> Response:
        """Make the step again that was undone last."""
        return Response(_state(_change(request, drafts.redo, _revision(request))))


def _revision(request: Request) -> int | None:
    asked = read_body(request, RevisionSerializer)
    return asked.get("revision")


def _change(request: Request, change: Callable[[Draft, int], Draft], revision: Any) -> Draft:
    """On the revision that the client knows, or without one on whatever the newest is."""
    draft = drafts.get_draft(request.user)
    if revision is None:
        return drafts.retry(draft, lambda newest: change(newest, newest.revision))
    if isinstance(revision, bool) or not isinstance(revision, int):
        raise BadInput("revision is a whole number.", {"revision": [_("It is a whole number.")]})
    return change(draft, revision)


def _whole(draft: Draft) -> dict[str, Any]:
    config = configs.full_config(draft.engine, draft.config)
    return CurrentConfigSerializer(_facts(draft) | {"config": config}).data


def _state(draft: Draft) -> dict[str, Any]:
    return DraftStateSerializer(_facts(draft)).data


def _facts(draft: Draft) -> dict[str, Any]:
    undo, redo = drafts.next_labels(draft)
    facts = {"changed": draft.config, "engine": draft.engine, "revision": draft.revision}
    return {**facts, "undo": undo, "redo": redo}
