"""Data sets, pictures, versions and uploads as the API returns and takes them."""

from __future__ import annotations

from rest_framework import serializers

from engine.interface.json_types import JsonObject
from presets.datasets.versions import Difference
from presets.models import DataSet, DataSetPicture, DataSetUpload, DataSetVersion
from system.models import Job
from web.api.serializers import OnlyKnownFields

MOST_IDS = 200_000


class DataSetSerializer(serializers.ModelSerializer):
    owner = serializers.CharField(source="owner.username", default=None, read_only=True)
    folder = serializers.SerializerMethodField(help_text="The path that a concept of a config names.")
    is_reference = serializers.BooleanField(help_text="Whether the folder is one of the server's, outside the site.")
    pictures = serializers.IntegerField(source="picture_count")
    captioned = serializers.IntegerField(source="captioned_count")
    excluded = serializers.IntegerField(source="excluded_count")
    bytes = serializers.IntegerField()
    can_undo = serializers.SerializerMethodField()
    can_redo = serializers.SerializerMethodField()

    class Meta:
        model = DataSet
        fields = (
            *("id", "name", "owner", "notes", "tags", "folder", "is_reference", "version", "pictures", "captioned"),
            *("excluded", "bytes", "can_undo", "can_redo", "created_at", "changed_at", "deleted_at"),
        )

    def get_folder(self, row: DataSet) -> str:
        return str(row.folder)

    def get_can_undo(self, row: DataSet) -> bool:
        return bool(row.undoable)

    def get_can_redo(self, row: DataSet) -> bool:
        return bool(row.redoable)


class NewDataSetSerializer(OnlyKnownFields):
    name = serializers.CharField(max_length=100)
    path = serializers.CharField(
        max_length=4096, default="", allow_blank=True, help_text="A folder of the server to take in where it is."
    )
    notes = serializers.CharField(max_length=20_000, default="", allow_blank=True)
    tags = serializers.CharField(max_length=500, default="", allow_blank=True)


class DataSetChangeSerializer(OnlyKnownFields):
    name = serializers.CharField(max_length=100, required=False)
    notes = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    tags = serializers.CharField(max_length=500, required=False, allow_blank=True)


class PictureSerializer(serializers.ModelSerializer):
    has_mask = serializers.SerializerMethodField()

    class Meta:
        model = DataSetPicture
        fields = (
            *("id", "name", "sha256", "size", "width", "height", "caption", "has_mask", "excluded", "problem"),
            "added_at",
        )

    def get_has_mask(self, row: DataSetPicture) -> bool:
        return bool(row.mask)


class PicturesSerializer(serializers.Serializer):
    """A part of the chosen pictures."""

    total = serializers.IntegerField(help_text="The number of all chosen pictures.")
    version = serializers.IntegerField(help_text="The data set's newest version.")
    results = PictureSerializer(many=True)


class PictureIdsSerializer(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField())


class PictureChangeSerializer(OnlyKnownFields):
    name = serializers.CharField(max_length=255, required=False, help_text="A new name; the ending stays.")
    caption = serializers.CharField(
        max_length=100_000,
        required=False,
        allow_blank=True,
        allow_null=True,
        trim_whitespace=False,
        help_text="The new text; null removes the caption's file.",
    )
    excluded = serializers.BooleanField(required=False)


class PicturesChosenSerializer(OnlyKnownFields):
    pictures = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**53), min_length=1, max_length=MOST_IDS
    )


class ExcludeSerializer(PicturesChosenSerializer):
    excluded = serializers.BooleanField(default=True)


class VersionSerializer(serializers.ModelSerializer):
    user = serializers.CharField(source="user.username", default=None)
    changes = serializers.IntegerField(source="change_count", help_text="The number of changed pictures.")

    class Meta:
        model = DataSetVersion
        fields = ("number", "label", "user", "at", "changes")


class ChangedPictureSerializer(serializers.Serializer):
    name = serializers.CharField()
    before = serializers.DictField(help_text="Facts that changed, as they were.")
    after = serializers.DictField(help_text="The same facts, as they became.")


class DifferenceSerializer(serializers.Serializer):
    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    changed = ChangedPictureSerializer(many=True)

    def to_representation(self, difference: Difference) -> JsonObject:
        return {"added": difference.added, "removed": difference.removed, "changed": changed_facts(difference)}


def changed_facts(difference: Difference) -> list[JsonObject]:
    """Of each changed picture, the facts that differ."""
    rows = []
    for change in difference.changed:
        before, after = (state.to_dict() if state else {} for state in (change.before, change.after))
        names = [name for name in before if before[name] != after[name]]
        rows.append(
            {
                "name": change.name,
                "before": {name: before[name] for name in names},
                "after": {name: after[name] for name in names},
            }
        )
    return rows


class UploadSerializer(serializers.ModelSerializer):
    refused = serializers.ListField(
        child=serializers.DictField(), help_text="Of a zip file, each refused member with the reason."
    )

    class Meta:
        model = DataSetUpload
        fields = ("id", "filename", "size", "offset", "status", "detail", "name", "refused", "batch", "created_at")


class UploadsSerializer(serializers.Serializer):
    results = UploadSerializer(many=True)


class KnownSerializer(OnlyKnownFields):
    sha256 = serializers.ListField(
        child=serializers.RegexField(r"^[0-9a-f]{64}$"), max_length=1000, help_text="Contents that may be sent."
    )


class KnownAnswerSerializer(serializers.Serializer):
    known = serializers.DictField(child=serializers.CharField(), help_text="The picture that has it, by content.")


class LimitsSerializer(serializers.Serializer):
    pictures = serializers.ListField(child=serializers.CharField(), help_text="Endings of pictures.")
    texts = serializers.ListField(child=serializers.CharField(), help_text="Endings of captions.")
    most_picture_bytes = serializers.IntegerField()
    most_archive_bytes = serializers.IntegerField(help_text="Of a zip file.")
    free_bytes = serializers.IntegerField(help_text="The space on the disk that uploads may take.")


class DataSetJobSerializer(serializers.ModelSerializer):
    class Meta:
        model = Job
        fields = ("id", "status", "detail", "result", "created_at", "ended_at")


class RescanSerializer(serializers.Serializer):
    version = serializers.IntegerField()
    pending = serializers.IntegerField(help_text="Changed files that a worker reads now.")
