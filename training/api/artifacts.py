"""The API of single backups, saves and models, and of the retention policies."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from training.api.serializers import ArtifactChangeSerializer, ArtifactSerializer, RetentionSerializer
from training.models import Artifact, RetentionPolicy, Run
from training.runs.removal import pin, remove_by_hand
from web.api.serializers import read_body
from web.errors import Forbidden


class ArtifactView(APIView):
    """One backup, save or final model."""

    @extend_schema(responses=ArtifactSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """Its kind, its path, and whether it still exists."""
        return Response(ArtifactSerializer(_artifact(pk)).data)

    @extend_schema(request=ArtifactChangeSerializer, responses=ArtifactSerializer)
    def patch(self, request: Request, pk: str) -> Response:
        """Pin it, so that neither policy nor clean-up deletes it, or unpin it."""
        asked = read_body(request, ArtifactChangeSerializer)
        artifact = _artifact(pk)
        pin(artifact, asked["pinned"], by=request.user)
        return Response(ArtifactSerializer(artifact).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """Delete its files; the entry stays in the run's history. 409 says why a file must be kept."""
        remove_by_hand(_artifact(pk), by=request.user)
        return Response(status=204)


def _artifact(pk: str) -> Artifact:
    return get_object_or_404(Artifact.objects.select_related("run"), pk=pk)


class RetentionView(APIView):
    """How many backups, saves and samples are kept of each run without its own policy."""

    @extend_schema(responses=RetentionSerializer)
    def get(self, request: Request) -> Response:
        """The site's policy."""
        return Response(RetentionPolicy.of_site().to_dict())

    @extend_schema(request=RetentionSerializer, responses=RetentionSerializer)
    def put(self, request: Request) -> Response:
        """Change the site's policy: for admins."""
        if not request.user.is_staff:
            raise Forbidden("Only an admin can change the policy of all runs: give your own runs a policy instead.")
        return Response(_change(RetentionPolicy.of_site(), request).to_dict())


class RunRetentionView(APIView):
    """How many backups, saves and samples are kept of one run."""

    @extend_schema(responses=RetentionSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """The run's policy, or the site's if the run has none."""
        return Response(RetentionPolicy.of(get_object_or_404(Run, pk=pk)).to_dict())

    @extend_schema(request=RetentionSerializer, responses=RetentionSerializer)
    def put(self, request: Request, pk: str) -> Response:
        """Give the run a policy of its own."""
        return Response(_change(RetentionPolicy.own(get_object_or_404(Run, pk=pk)), request).to_dict())

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: str) -> Response:
        """Remove the run's own policy, so that the site's applies again."""
        get_object_or_404(Run, pk=pk)
        RetentionPolicy.objects.filter(scope=pk).delete()
        return Response(status=204)


def _change(policy: RetentionPolicy, request: Request) -> RetentionPolicy:
    for kind, rule in read_body(request, RetentionSerializer).items():
        for name, value in rule.items():
            setattr(policy, f"{name}_{kind}", value)
    policy.save()
    return policy
