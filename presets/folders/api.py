"""The API of the server's folders: what lies in them, and what a concept's folder holds."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.folders import browse, concept_preview
from presets.folders.views import asked_preview
from web.api.parameters import KnownParameters
from web.api.serializers import read_body
from web.permissions import OnlyTrainers


class PlaceSerializer(serializers.Serializer):
    title = serializers.CharField()
    path = serializers.CharField()


class FolderEntrySerializer(serializers.Serializer):
    name = serializers.CharField()
    path = serializers.CharField()
    kind = serializers.ChoiceField(choices=["folder", "file"])
    size = serializers.IntegerField(allow_null=True, help_text="Of a file, in bytes.")
    pictures = serializers.IntegerField(
        allow_null=True, help_text="How many lie in the folder itself; null where they were not counted."
    )
    is_model = serializers.BooleanField(help_text="Whether a folder holds a model of diffusers.")


class FolderSerializer(serializers.Serializer):
    """One folder: folders first, then files, as a person would sort them."""

    path = serializers.CharField(help_text="With its links followed.")
    parent = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_blank=True, help_text="The file's name in it, where the path was a file's.")
    places = PlaceSerializer(many=True)
    pictures = serializers.IntegerField(help_text="How many lie in the folder itself.")
    entries = FolderEntrySerializer(many=True)
    total = serializers.IntegerField(help_text="How many there are; `entries` has the first 500.")
    note = serializers.CharField(allow_blank=True, help_text="What was left out.")


class NewFolderSerializer(serializers.Serializer):
    path = serializers.CharField(max_length=4096, help_text="The folder to make it in.")
    name = serializers.CharField(max_length=255)


class FoldersView(KnownParameters, APIView):
    permission_classes = [OnlyTrainers]

    @extend_schema(
        responses=FolderSerializer,
        parameters=[
            OpenApiParameter("path", str, description="A folder or file; the first allowed folder without it."),
            OpenApiParameter(
                "kind",
                str,
                enum=browse.KINDS,
                description="`folder` lists folders alone, `file` files too, `model` weights, `save` where to write.",
            ),
            OpenApiParameter("suffixes", str, description="Only such files, such as `.json,.safetensors`."),
            OpenApiParameter("q", str, description="Only names that hold this text."),
        ],
    )
    def get(self, request: Request) -> Response:
        """What lies in one of the server's folders, inside the allowed ones; hidden files are left out."""
        asked = request.query_params
        suffixes = asked.get("suffixes", "").split(",")
        kind = asked.get("kind") or "folder"
        return Response(browse.as_json(browse.list_folder(asked.get("path", ""), kind, suffixes, asked.get("q", ""))))

    @extend_schema(request=NewFolderSerializer, responses={201: FolderSerializer})
    def post(self, request: Request) -> Response:
        """Make a folder in one that may be written to, and say what lies in it: nothing yet."""
        asked = read_body(request, NewFolderSerializer)
        made = browse.make_folder(asked["path"], asked["name"])
        return Response(browse.as_json(browse.list_folder(str(made), "save")), status=201)


class ExampleSerializer(serializers.Serializer):
    path = serializers.CharField()
    name = serializers.CharField(help_text="Within the folder.")
    caption = serializers.CharField(allow_blank=True, help_text="The first that it may be trained with.")
    captions = serializers.IntegerField()
    missing = serializers.CharField(allow_blank=True, help_text="Why there is no caption.")


class SizeField(serializers.ListField):
    child = serializers.IntegerField()

    def __init__(self, **more: Any):
        super().__init__(min_length=2, max_length=2, allow_null=True, help_text=_("Width and height."), **more)


class ConceptPreviewSerializer(serializers.Serializer):
    """What a concept's folder holds: all names are counted, and some pictures are opened."""

    path = serializers.CharField()
    pictures = serializers.IntegerField()
    captioned = serializers.IntegerField()
    uncaptioned = serializers.IntegerField()
    masks = serializers.IntegerField()
    other_files = serializers.IntegerField()
    subfolders = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="false where there are more files than were counted.")
    examples = ExampleSerializer(many=True, help_text="The first pictures.")
    smallest = SizeField()
    median = SizeField()
    largest = SizeField()
    sizes_read = serializers.IntegerField(help_text="Of how many pictures the sizes are.")
    note = serializers.CharField(allow_blank=True)


class ConceptPreviewView(KnownParameters, APIView):
    permission_classes = [OnlyTrainers]

    @extend_schema(
        responses=ConceptPreviewSerializer,
        parameters=[
            OpenApiParameter("path", str, required=True, description="The concept's folder."),
            OpenApiParameter("include_subdirectories", bool),
            OpenApiParameter("prompt_source", str, enum=concept_preview.SOURCES),
            OpenApiParameter("prompt_path", str, description="The text file of captions, for `concept`."),
        ],
    )
    def get(self, request: Request) -> Response:
        """Count what lies in a concept's folder, and show its first pictures' captions; nothing else is decoded."""
        return Response(concept_preview.as_json(concept_preview.preview(**asked_preview(request.query_params))))
