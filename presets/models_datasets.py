"""Data sets, their pictures, their versions, and the files that are being uploaded into them."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy

SET_NAME = RegexValidator(
    r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,99}\Z",
    gettext_lazy("Choose a name of at most 100 characters, without slashes and without a dot at its beginning."),
)
LONGEST_NAME = 255


def is_set_name(name: str) -> bool:
    try:
        SET_NAME(name)
    except ValidationError:
        return False
    return True


def own_folders() -> Path:
    """The folder of the site's own data sets."""
    return Path(settings.DATA_DIR) / "datasets"


class DataSetQuerySet(models.QuerySet["DataSet"]):
    def present(self) -> DataSetQuerySet:
        """The data sets that are not deleted, by name."""
        return self.filter(deleted_at=None).order_by("name")


class DataSet(models.Model):
    """A folder of pictures with captions and masks.

    `path` is empty for the site's own folders, `datasets/<name>` in the data folder; otherwise it is a folder of the
    server that stays where it is: only its captions are written.
    """

    name = models.CharField(max_length=100, validators=[SET_NAME])
    path = models.CharField(max_length=4096, blank=True, help_text="The folder, if it is not one of the site's own.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="data_sets"
    )
    notes = models.TextField(blank=True)
    tags = models.CharField(max_length=500, blank=True, help_text="Words to find it by, separated by commas.")
    version = models.PositiveIntegerField(default=0, editable=False)
    undoable = models.JSONField(default=list, editable=False, help_text="Numbers of the versions that undo takes back.")
    redoable = models.JSONField(default=list, editable=False, help_text="Numbers of the versions that redo repeats.")
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = DataSetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(deleted_at__isnull=True), name="one_present_data_set_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_reference(self) -> bool:
        """Whether the folder belongs to the server, so that no picture in it is added, moved or removed."""
        return bool(self.path)

    @property
    def folder(self) -> Path:
        return Path(self.path) if self.path else own_folders() / self.name

    @property
    def kept(self) -> Path:
        """The folder of files that an undo may need, named by their sha256."""
        return Path(settings.DATA_DIR) / "kept" / str(self.pk)


class DataSetPicture(models.Model):
    """One picture file of a data set as it is now."""

    data_set = models.ForeignKey(DataSet, on_delete=models.CASCADE, related_name="pictures")
    name = models.CharField(max_length=LONGEST_NAME, help_text="The file's path within the folder.")
    sha256 = models.CharField(max_length=64)
    source_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of the uploaded file, if the site stored it in another form."
    )
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    changed_ns = models.BigIntegerField(default=0, help_text="The file's time of change, to notice a new content.")
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    caption = models.TextField(  # noqa: DJ001  an empty file and no file are different findings
        null=True, help_text="The text of its caption file; null without a file."
    )
    caption_ns = models.BigIntegerField(default=0)
    mask = models.CharField(max_length=64, blank=True, help_text="The sha256 of its mask's file.")
    mask_ns = models.BigIntegerField(default=0)
    excluded = models.BooleanField(default=False, help_text="Kept in the folder .excluded, which no trainer reads.")
    problem = models.CharField(max_length=300, blank=True, help_text="Why the file cannot be read as a picture.")
    added_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["data_set", "name"], name="one_row_per_picture_of_a_data_set")]
        indexes = [models.Index(fields=["data_set", "sha256"], name="picture_by_content")]

    def __str__(self) -> str:
        return self.name


class DataSetVersion(models.Model):
    """One change of a data set; never changed, except that files of one upload are added to its version."""

    data_set = models.ForeignKey(DataSet, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=300, help_text="The change as a sentence.")
    batch = models.CharField(max_length=64, blank=True, help_text="The id of the upload that made it.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["data_set", "number"], name="one_row_per_data_set_version")]

    def __str__(self) -> str:
        return f"{self.data_set} v{self.number}"


class DataSetChange(models.Model):
    """The change of one picture in a version: its facts before and after, null where it is not in the set."""

    version = models.ForeignKey(DataSetVersion, on_delete=models.CASCADE, related_name="changes")
    name = models.CharField(max_length=LONGEST_NAME)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class DataSetUpload(models.Model):
    """A file on its way into a data set, received in pieces."""

    class Status(models.TextChoices):
        RECEIVING = "receiving", "being received"
        WAITING = "waiting", "waiting for a worker"
        WORKING = "working", "being read"
        DONE = "done", "taken in"
        DUPLICATE = "duplicate", "in the set already"
        REFUSED = "refused", "refused"

    OPEN = (Status.RECEIVING, Status.WAITING, Status.WORKING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    data_set = models.ForeignKey(DataSet, on_delete=models.CASCADE, related_name="uploads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    filename = models.CharField(max_length=1000)
    size = models.PositiveBigIntegerField()
    offset = models.PositiveBigIntegerField(default=0)
    batch = models.CharField(max_length=64, blank=True, help_text="Files that were sent together have the same id.")
    keep_original = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.RECEIVING)
    detail = models.CharField(max_length=500, blank=True, help_text="Why the file was refused, or how it was changed.")
    name = models.CharField(max_length=LONGEST_NAME, blank=True, help_text="Its name in the data set.")
    refused = models.JSONField(default=list, help_text="Of a zip file, each member that was refused and the reason.")
    created_at = models.DateTimeField(default=now)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["data_set", "batch"], name="upload_by_batch")]

    def __str__(self) -> str:
        return self.filename

    @property
    def part(self) -> Path:
        """The file of the bytes received so far."""
        return Path(settings.DATA_DIR) / "uploads" / str(self.pk)


class DataSetUse(models.Model):
    """The version of a data set that an attempt at a run trained on; the run is on a floor above, so only its id."""

    data_set = models.ForeignKey(DataSet, on_delete=models.CASCADE, related_name="uses")
    run = models.UUIDField(db_index=True)
    attempt = models.PositiveIntegerField()
    version = models.PositiveIntegerField()
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["attempt", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt", "data_set"], name="one_use_per_attempt_and_data_set")
        ]

    def __str__(self) -> str:
        return f"{self.data_set} v{self.version}"
