"""The API of a data set's captions: its tags, and changes to many captions at once."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.datasets.api import find
from presets.datasets.caption_edits import ACTIONS, CaptionEdit, counted_tags, edit_captions, preview
from presets.datasets.serializers import MOST_IDS
from web.api.parameters import KnownParameters
from web.api.serializers import OnlyKnownFields, read_body

MOST_TAGS = 2_000


class CaptionEditSerializer(OnlyKnownFields):
    action = serializers.ChoiceField(choices=list(ACTIONS))
    text = serializers.CharField(
        max_length=2_000,
        trim_whitespace=False,
        help_text="The text to add, remove, find or put in front.",
    )
    replacement = serializers.CharField(max_length=2_000, default="", allow_blank=True, trim_whitespace=False)
    match_case = serializers.BooleanField(default=False)
    pictures = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**53),
        default=None,
        allow_null=True,
        max_length=MOST_IDS,
        help_text="The ids of the pictures; all if left out.",
    )
    preview = serializers.BooleanField(default=False, help_text="Only report what would change.")


class CaptionChangeSerializer(serializers.Serializer):
    name = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class CaptionEditedSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="The number of captions that change.")
    version = serializers.IntegerField(help_text="The data set's newest version.")
    changes = CaptionChangeSerializer(many=True, help_text="Of a preview, the first changes.")


class TagSerializer(serializers.Serializer):
    tag = serializers.CharField()
    count = serializers.IntegerField(help_text="The number of pictures that have it.")


class TagsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    tags = TagSerializer(many=True, help_text=f"The most frequent, at most {MOST_TAGS}.")


class CaptionsView(APIView):
    @extend_schema(request=CaptionEditSerializer, responses=CaptionEditedSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Change the captions of some pictures or of all, as one version, or preview the change."""
        data_set, body = find(pk), read_body(request, CaptionEditSerializer)
        chosen, only_preview = body.pop("pictures"), body.pop("preview")
        edit = CaptionEdit(**body)
        if only_preview:
            count, changes = preview(data_set, chosen, edit)
        else:
            (count, _version), changes = edit_captions(data_set, chosen, edit, request.user), []
        answer = {"count": count, "version": data_set.version, "changes": changes}
        return Response(CaptionEditedSerializer(answer).data)


class TagsView(KnownParameters, APIView):
    @extend_schema(responses=TagsSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The tags of the captions with their counts: the parts between commas."""
        tags = counted_tags(find(pk))
        listed = [{"tag": tag, "count": count} for tag, count in tags[:MOST_TAGS]]
        return Response(TagsSerializer({"total": len(tags), "tags": listed}).data)
