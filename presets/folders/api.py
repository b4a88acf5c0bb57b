"""The API of the server's folders: their content, and previews of concepts' folders."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from presets.folders import browse, concept_preview
from presets.folders.views import preview_parameters
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
    size = serializers.IntegerField(allow_null=True, help_text="The size of a file, in bytes.")
    pictures = serializers.IntegerField(
        allow_null=True, help_text="Pictures directly in the folder; null if they were not counted."
    )
    is_model = serializers.BooleanField(help_text="Whether the folder is a diffusers model.")


class FolderSerializer(serializers.Serializer):
    """The content of a folder: folders first, then files, in natural order."""

    path = serializers.CharField(help_text="The path with links resolved.")
    parent = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_blank=True, help_text="The file's name, if the path was a file's.")
    places = PlaceSerializer(many=True)
    pictures = serializers.IntegerField(help_text="Pictures directly in the folder.")
    entries = FolderEntrySerializer(many=True)
    total = serializers.IntegerField(help_text="The number of all entries; `entries` has the first 500.")
    note = serializers.CharField(allow_blank=True, help_text="A note about entries that were left out.")


class NewFolderSerializer(serializers.Serializer):
    path = serializers.CharField(max_length=4096, help_text="The parent folder.")
    name = serializers.CharField(max_length=255)


class FoldersView(KnownParameters, APIView):
    permission_classes = [OnlyTrainers]

    @extend_schema(
        responses=FolderSerializer,
        parameters=[
            OpenApiParameter("path", str, description="A folder or file; if left out, the first allowed folder."),
            OpenApiParameter(
                "kind",
                str,
                enum=browse.KINDS,
                description="`folder` lists folders alone, `file` files too, `model` weights, `save` where to write.",
            ),
            OpenApiParameter(
                "suffixes", str, description="Only files with these endings, such as `.json,.safetensors`."
            ),
            OpenApiParameter("q", str, description="Only names that contain this text."),
        ],
    )
    def get(self, request: Request) -> Response:
        """List a folder of the server, inside the allowed folders; hidden files are left out."""
        query = request.query_params
        suffixes = query.get("suffixes", "").split(",")
        kind = query.get("kind") or "folder"
        return Response(browse.as_json(browse.list_folder(query.get("path", ""), kind, suffixes, query.get("q", ""))))

    @extend_schema(request=NewFolderSerializer, responses={201: FolderSerializer})
    def post(self, request: Request) -> Response:
        """Create a folder in a writable folder, and return its empty listing."""
        body = read_body(request, NewFolderSerializer)
        folder = browse.make_folder(body["path"], body["name"])
        return Response(browse.as_json(browse.list_folder(str(folder), "save")), status=201)


class ExampleSerializer(serializers.Serializer):
    path = serializers.CharField()
    name = serializers.CharField(help_text="The path within the folder.")
    caption = serializers.CharField(
        allow_blank=True, help_text="The first of the captions that the picture may be trained with."
    )
    captions = serializers.IntegerField()
    missing = serializers.CharField(allow_blank=True, help_text="Why there is no caption.")


class SizeField(serializers.ListField):
    child = serializers.IntegerField()

    def __init__(self, **more: Any) -> None:
        super().__init__(min_length=2, max_length=2, allow_null=True, help_text=_("Width and height."), **more)


class ConceptPreviewSerializer(serializers.Serializer):
    """The content of a concept's folder: all names are counted, and some pictures are opened."""

    path = serializers.CharField()
    pictures = serializers.IntegerField()
    captioned = serializers.IntegerField()
    uncaptioned = serializers.IntegerField()
    masks = serializers.IntegerField()
    other_files = serializers.IntegerField()
    subfolders = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="false if there are more files than were counted.")
    examples = ExampleSerializer(many=True, help_text="The first pictures.")
    smallest = SizeField()
    median = SizeField()
    largest = SizeField()
    sizes_read = serializers.IntegerField(help_text="The number of pictures whose sizes were read.")
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
            OpenApiParameter("engine", str, description="The engine whose formats and captions are counted."),
        ],
    )
    def get(self, request: Request) -> Response:
        """Count the files in a concept's folder, and show its first pictures' captions; no other file is decoded."""
        return Response(concept_preview.as_json(concept_preview.preview(**preview_parameters(request.query_params))))
