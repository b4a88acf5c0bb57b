"""The API of data sets: create, rename, delete, restore, versions, and what a page needs to know."""

from __future__ import annotations

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from presets.datasets import serializers, verbs, versions
from presets.datasets.intake import same_content
from presets.datasets.jobs import Action, ask
from presets.datasets.listing import members, with_counts
from presets.datasets.rescan import adopt_folders, look
from presets.datasets.space import limits
from presets.models import DataSet
from web.api.filters import FieldFilter, FilteredLists, Order, Search
from web.api.parameters import KnownParameters, whole_number
from web.api.serializers import read_body
from web.errors import NotFound
from web.packing import send_zip

MOST_VERSIONS = 2**31 - 1


def find(pk: int | str, deleted: bool = False) -> DataSet:
    """The data set of this id. Raises NotFound; deleted ones are found on request alone."""
    rows = DataSet.objects.all() if deleted else DataSet.objects.present()
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotFound(_("There is no data set with this id: it may have been deleted."))
    return found


class DataSetViewSet(KnownParameters, FilteredLists, ReadOnlyModelViewSet):
    """Data sets: folders of pictures with captions and masks, with all their versions."""

    queryset = DataSet.objects.all()
    serializer_class = serializers.DataSetSerializer
    lookup_value_regex = "[0-9]{1,18}"
    filter_backends = [FieldFilter, Search, Order]
    filter_lookups = {
        "name": ("name", "The exact name."),
        "owner": ("owner__username", "The owner's user name."),
        "deleted": ("is_deleted", "true for the deleted data sets; without it the others are listed."),
    }
    search_fields = ["name", "notes", "tags"]
    ordering_fields = ["name", "created_at", "changed_at"]
    ordering = ["name"]

    def get_queryset(self) -> QuerySet[DataSet]:
        rows = with_counts(DataSet.objects.select_related("owner"))
        if self.action != "list":
            return rows
        is_deleted = ExpressionWrapper(Q(deleted_at__isnull=False), output_field=BooleanField())
        rows = rows.annotate(is_deleted=is_deleted)
        return rows if self.request.query_params.get("deleted") else rows.filter(is_deleted=False)

    def answer(self, data_set: DataSet, status: int = 200) -> Response:
        return Response(self.serializer_class(self.get_queryset().get(pk=data_set.pk)).data, status=status)

    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        """All data sets, also folders that a shell put into the data folder's `datasets`."""
        adopt_folders()
        return super().list(request, *args, **kwargs)

    @extend_schema(request=serializers.NewDataSetSerializer, responses={201: serializers.DataSetSerializer})
    def create(self, request: Request) -> Response:
        """Create an empty data set, or take in a folder of the server by its path."""
        facts = read_body(request, serializers.NewDataSetSerializer)
        data_set = verbs.create(facts.pop("name"), request.user, **facts)
        if data_set.is_reference and look(data_set):
            ask(data_set, Action.RESCAN, request.user)
        return self.answer(data_set, 201)

    @extend_schema(request=serializers.DataSetChangeSerializer, responses=serializers.DataSetSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, notes or tags; a new name renames the folder, and a link of the old name leads to it."""
        facts = read_body(request, serializers.DataSetChangeSerializer, partial=True)
        return self.answer(verbs.change(find(pk), facts, request.user))

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a data set, which `restore` brings back; a deleted one is removed with its files for ever."""
        data_set = find(pk, deleted=True)
        verbs.delete(data_set) if data_set.deleted_at is None else verbs.delete_for_ever(data_set)
        return Response(status=204)

    @extend_schema(request=None, responses=serializers.DataSetSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Bring a deleted data set back."""
        data_set = find(pk, deleted=True)
        verbs.restore(data_set)
        return self.answer(data_set)

    @extend_schema(request=None, responses=serializers.DataSetSerializer)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take back the newest change, as a new version."""
        data_set = find(pk)
        versions.undo(data_set, request.user)
        return self.answer(data_set)

    @extend_schema(request=None, responses=serializers.DataSetSerializer)
    @action(detail=True, methods=["post"])
    def redo(self, request: Request, pk: str) -> Response:
        """Repeat the change that was undone last."""
        data_set = find(pk)
        versions.redo(data_set, request.user)
        return self.answer(data_set)

    @extend_schema(responses=serializers.VersionSerializer(many=True), filters=False)
    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """All versions, newest first."""
        self.ordering, self.ordering_fields = ["-number"], []
        rows = find(pk).versions.select_related("user").annotate(change_count=Count("changes"))
        return self.get_paginated_response(serializers.VersionSerializer(self.paginate_queryset(rows), many=True).data)

    @extend_schema(
        responses=serializers.DifferenceSerializer,
        parameters=[
            OpenApiParameter("since", int, required=True, description="The number of the earlier version."),
            OpenApiParameter("until", int, description="The number of the later version; the newest if left out."),
        ],
        filters=False,
    )
    @action(detail=True)
    def difference(self, request: Request, pk: str) -> Response:
        """The pictures that were added, removed and changed between two versions."""
        data_set = find(pk)
        since = whole_number(request, "since", 0, 0, MOST_VERSIONS)
        until = whole_number(request, "until", data_set.version, 0, MOST_VERSIONS)
        return Response(serializers.DifferenceSerializer(versions.difference(data_set, since, until)).data)

    @extend_schema(request=serializers.KnownSerializer, responses=serializers.KnownAnswerSerializer)
    @action(detail=True, methods=["post"])
    def known(self, request: Request, pk: str) -> Response:
        """Which contents the data set has already, so that they need not be sent."""
        data_set, known = find(pk), {}
        for sha256 in read_body(request, serializers.KnownSerializer)["sha256"]:
            if found := same_content(data_set, sha256):
                known[sha256] = found.name
        return Response({"known": known})

    @extend_schema(request=None, responses=serializers.RescanSerializer)
    @action(detail=True, methods=["post"])
    def rescan(self, request: Request, pk: str) -> Response:
        """Take in what a shell or another program changed in the folder; a worker reads many changes."""
        data_set = find(pk)
        if pending := look(data_set):
            ask(data_set, Action.RESCAN, request.user)
        return Response({"version": data_set.version, "pending": pending})

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, url_path="zip")
    def download(self, request: Request, pk: str) -> HttpResponseBase:
        """All pictures, captions and masks as one zip file."""
        data_set = find(pk)
        return send_zip(f"{data_set.name}.zip", members(data_set), request.method or "GET")

    @extend_schema(responses=serializers.LimitsSerializer, filters=False)
    @action(detail=False)
    def limits(self, request: Request) -> Response:
        """What may be uploaded: the endings, the largest files, and the space on the disk."""
        return Response(limits())
