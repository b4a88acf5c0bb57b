"""The API of the audit log, for admins."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from system.audit.models import AuditEntry
from system.audit.search import FILTERS, find
from web.api.parameters import KnownParameters
from web.permissions import OnlyAdmins


class AuditEntrySerializer(serializers.ModelSerializer):
    """One entry; `before` and `after` are its values as JSON, null if it has none."""

    before = serializers.JSONField(source="before_value", allow_null=True)
    after = serializers.JSONField(source="after_value", allow_null=True)

    class Meta:
        model = AuditEntry
        fields = (
            *("number", "at", "actor_id", "actor_name", "address", "means", "action", "kind", "thing_id", "thing_name"),
            *("before", "after", "previous", "hash"),
        )


class AuditView(KnownParameters, ListAPIView):
    permission_classes = [OnlyAdmins]
    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.all()
    filter_backends: list[type] = []

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return find(self.request.query_params.dict())

    @extend_schema(parameters=[OpenApiParameter(name, str, description=about) for name, about in FILTERS.items()])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """List the entries of the audit log, newest first; only for admins."""
        return super().get(request, *args, **kwargs)
