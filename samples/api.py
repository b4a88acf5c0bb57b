"""The API of samples."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from engine.interface.files import PREVIEW
from samples.archives import send_zip
from samples.filters import FILTERS, MOST_IDS, SampleRanges, narrowed, of_ids
from samples.models import Sample, SampleQuerySet
from samples.serializers import CustomSampleSerializer, FavouriteSerializer, SampleListSerializer, SampleSerializer
from samples.service import SampleService
from samples.thumbnails import thumbnail
from training.models import Run
from training.runs.service import TrainerService
from web.api.filters import FieldFilter, Order, Search
from web.api.parameters import KnownParameters, values_of, whole_number
from web.api.serializers import SuccessSerializer, read_body
from web.errors import BadInput
from web.guard.rates import costly
from web.ids import UUID_PATTERN
from web.serving import send_file

MOST = 1000
COUNT = OpenApiParameter("count", int, description=f"How many at most, up to {MOST}.")


class SampleDefaultView(APIView):
    @extend_schema(request=None, responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        """Generate the active run's own sample prompts now."""
        TrainerService(request.user).sample_default()
        return Response({"success": True, "message": _("The samples are generated after this step.")})


class SampleCustomView(APIView):
    @extend_schema(request=CustomSampleSerializer, responses=SuccessSerializer)
    def post(self, request: Request) -> Response:
        """Generate one picture with the active run's model as it is now."""
        if not isinstance(request.data, dict):
            raise BadInput(_("Send the sample's settings as a JSON object with at least a prompt."))
        TrainerService(request.user).sample_custom(request.data)
        return Response({"success": True, "message": _("The sample is generated after this step.")})


class SampleListView(KnownParameters, APIView):
    default_count = 200

    @extend_schema(responses=SampleListSerializer, parameters=[COUNT])
    def get(self, request: Request) -> Response:
        """The newest samples of all runs, newest first."""
        count = whole_number(request, "count", self.default_count, 1, MOST)
        newest = Sample.objects.newest_first()[:count]
        return Response({"samples": SampleSerializer(newest, many=True).data})


class LatestSamplesView(SampleListView):
    default_count = 10


class SampleFileView(APIView):
    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY, (206, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: str) -> HttpResponseBase:
        """The picture or video itself, or the requested range of it."""
        sample = get_object_or_404(Sample, pk=pk)
        return send_file(request, sample.file, forever=True)


class SampleThumbnailView(APIView):
    @extend_schema(responses={(200, "image/webp"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: str) -> HttpResponseBase:
        """A WebP of at most 384 pixels; of a video, its first frame."""
        sample = get_object_or_404(Sample, pk=pk)
        return send_file(request, thumbnail(sample), forever=True)


@costly
class SamplesZipView(KnownParameters, APIView):
    @extend_schema(
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        parameters=[
            *(OpenApiParameter(name, str, description=text) for name, (_read, _asked, text) in FILTERS.items()),
            OpenApiParameter("id", str, many=True, description="Only the samples with these ids."),
        ],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The files of the newest matching samples, at most 5,000, as one zip file with their settings."""
        if ids := values_of(request, "id"):
            return send_zip(of_ids(ids), request.method or "GET")
        rows = Sample.objects.select_related("run").defer("run__config")
        return send_zip(narrowed(rows, request.query_params).newest_first()[:MOST_IDS], request.method or "GET")


class PreviewView(KnownParameters, APIView):
    @extend_schema(
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY},
        parameters=[OpenApiParameter("v", str, description="Any text, so that browsers ask again.")],
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """The newest preview of the sample that the run generates now or generated last."""
        run = get_object_or_404(Run, pk=run_id)
        return send_file(request, run.folder / "workspace" / PREVIEW)


class SampleList(KnownParameters, ReadOnlyModelViewSet):
    """Samples of all runs, to read and to mark."""

    serializer_class = SampleSerializer
    lookup_value_regex = UUID_PATTERN
    filter_backends = [FieldFilter, SampleRanges, Search, Order]
    filter_lookups = {
        "run": ("run", "A run's id."),
        "kind": ("kind", "default or custom."),
        "index": ("index", "Which of the run's sample prompts."),
        "global_step": ("global_step", "The step after which it was generated."),
        "is_ema": ("is_ema", "true or false: whether the averaged weights generated it."),
    }
    search_fields = ["prompt", "run__name"]
    ordering_fields = ["created_at", "global_step", "index"]
    ordering = ["-created_at"]


class SampleViewSet(SampleList):
    """The pictures of all runs."""

    queryset = Sample.objects.all()

    @extend_schema(request=FavouriteSerializer, responses=SampleSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Mark a sample as a favourite, or remove the mark. Favourites are never deleted to free space."""
        asked = read_body(request, FavouriteSerializer)
        sample = get_object_or_404(Sample, pk=pk)
        SampleService(request.user).mark([sample], asked["favourite"])
        sample.refresh_from_db()
        return Response(self.get_serializer(sample).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a sample and its file; a favourite is refused."""
        SampleService(request.user).delete([get_object_or_404(Sample, pk=pk)])
        return Response(status=204)


class RunSamplesView(SampleList):
    """The pictures of one run."""

    def get_queryset(self) -> SampleQuerySet:
        if getattr(self, "swagger_fake_view", False):
            return Sample.objects.none()
        return get_object_or_404(Run, pk=self.kwargs["run_id"]).samples.all()
