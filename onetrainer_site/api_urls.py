"""The REST API's addresses; each works with and without a slash at its end."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.routers import SimpleRouter

from operations.cleanup import api as cleanup
from operations.workspaces import api as jobs
from presets.datasets import api as datasets
from presets.datasets import api_captions as captions
from presets.datasets import api_pictures as pictures
from presets.datasets import api_uploads as uploads
from presets.editor import api as drafts
from presets.folders import api as folders
from presets.library import api as api_presets
from presets.library import api_configs as presets
from presets.preflight import api as checks
from samples import api as samples
from system import api as system
from system.account import api_tokens
from system.account.api import MeView, NoSuchAddressView
from system.account.api_secrets import SecretsView
from system.audit.api import AuditView
from training.api import artifacts, process, queue, runs
from training.api import saved_views as views
from training.api import single_trainer as trainer
from training.base_models import api as base_models
from training.base_models import api_uploads as model_uploads
from web.ids import UUID_PATTERN

app_name = "api"
FETCH = f"base-models/fetches/(?P<pk>{UUID_PATTERN})"


def address(route: str, view: Any, name: str) -> URLPattern:
    return re_path(f"^{route}/?$", view, name=name)


router = SimpleRouter()
router.trailing_slash = "/?"
router.register("runs", runs.RunViewSet, "run")
router.register("presets", api_presets.PresetViewSet, "preset")
router.register("samples", samples.SampleViewSet, "sample")
router.register("datasets", datasets.DataSetViewSet, "dataset")
router.register("views", views.SavedViewViewSet, "view")
router.register("workers", system.WorkerViewSet, "worker")

single_trainer = [
    address("training/status", trainer.StatusView.as_view(), "training-status"),
    address("training/start", trainer.StartView.as_view(), "training-start"),
    address("training/stop", trainer.StopView.as_view(), "training-stop"),
    address("training/backup", trainer.BackupView.as_view(), "training-backup"),
    address("training/save", trainer.SaveView.as_view(), "training-save"),
    address("training/progress", trainer.ProgressView.as_view(), "training-progress"),
    address("config/current", drafts.CurrentConfigView.as_view(), "config-current"),
    address("config/current/undo", drafts.UndoView.as_view(), "config-undo"),
    address("config/current/redo", drafts.RedoView.as_view(), "config-redo"),
    address("config/list", presets.ConfigListView.as_view(), "config-list"),
    address("config/load/(?P<name>.+?)", presets.LoadConfigView.as_view(), "config-load"),
    address("config/save/(?P<name>.+?)", presets.SaveConfigView.as_view(), "config-save"),
    address("config/validate", checks.ValidateConfigView.as_view(), "config-validate"),
    address("config/preflight", checks.StartPreflightView.as_view(), "config-preflight"),
    address(f"config/preflight/(?P<pk>{UUID_PATTERN})", checks.PreflightView.as_view(), "preflight"),
    address("config/schema", presets.ConfigSchemaView.as_view(), "config-schema"),
    address("config/defaults", presets.ConfigDefaultsView.as_view(), "config-defaults"),
    address("samples/default", samples.SampleDefaultView.as_view(), "sample-default"),
    address("samples/custom", samples.SampleCustomView.as_view(), "sample-custom"),
    address("samples/generate", samples.SampleCustomView.as_view(), "sample-generate"),
    address("samples/list", samples.SampleListView.as_view(), "samples-list"),
    address("samples/latest", samples.LatestSamplesView.as_view(), "samples-latest"),
    address(f"samples/(?P<pk>{UUID_PATTERN})/file", samples.SampleFileView.as_view(), "sample-file"),
    address("samples/zip", samples.SamplesZipView.as_view(), "samples-zip"),
    address(f"samples/(?P<pk>{UUID_PATTERN})/thumbnail", samples.SampleThumbnailView.as_view(), "sample-thumbnail"),
    address("system/info", system.InfoView.as_view(), "system-info"),
    address("system/resources", system.ResourcesView.as_view(), "system-resources"),
    address("system/processes", process.ProcessesView.as_view(), "system-processes"),
]
PICTURES = "datasets/(?P<pk>[0-9]{1,18})/pictures"
data_sets = [
    address("datasets/(?P<pk>[0-9]{1,18})/uploads", uploads.UploadsView.as_view(), "dataset-uploads"),
    address(f"datasets/uploads/(?P<pk>{UUID_PATTERN})", uploads.UploadView.as_view(), "dataset-upload"),
    address("datasets/(?P<pk>[0-9]{1,18})/captions", captions.CaptionsView.as_view(), "dataset-captions"),
    address("datasets/(?P<pk>[0-9]{1,18})/tags", captions.TagsView.as_view(), "dataset-tags"),
    address(PICTURES, pictures.PicturesView.as_view(), "dataset-pictures"),
    address(f"{PICTURES}/ids", pictures.PictureIdsView.as_view(), "dataset-picture-ids"),
    address(f"{PICTURES}/remove", pictures.RemovePicturesView.as_view(), "dataset-remove"),
    address(f"{PICTURES}/exclude", pictures.ExcludePicturesView.as_view(), "dataset-exclude"),
    address(f"{PICTURES}/(?P<picture>[0-9]{{1,18}})", pictures.PictureView.as_view(), "dataset-picture"),
    address(f"{PICTURES}/(?P<picture>[0-9]{{1,18}})/file", pictures.PictureFileView.as_view(), "dataset-picture-file"),
]
resources = [
    *data_sets,
    address("runs/import", jobs.ImportWorkspaceView.as_view(), "runs-import"),
    address(f"runs/import/(?P<pk>{UUID_PATTERN})", jobs.ImportedWorkspaceView.as_view(), "runs-imported"),
    address(f"runs/(?P<run_id>{UUID_PATTERN})/preview", samples.PreviewView.as_view(), "run-preview"),
    address(f"runs/(?P<run_id>{UUID_PATTERN})/samples", samples.RunSamplesView.as_view({"get": "list"}), "run-samples"),
    address(f"runs/(?P<pk>{UUID_PATTERN})/retention", artifacts.RunRetentionView.as_view(), "run-retention"),
    address(f"artifacts/(?P<pk>{UUID_PATTERN})", artifacts.ArtifactView.as_view(), "artifact"),
    address("cleanup", cleanup.CleanupView.as_view(), "cleanup"),
    address("cleanup/usage", cleanup.UsageView.as_view(), "cleanup-usage"),
    address(f"cleanup/jobs/(?P<pk>{UUID_PATTERN})", cleanup.CleanupJobView.as_view(), "cleanup-job"),
    address("retention", artifacts.RetentionView.as_view(), "retention"),
    address("queue", queue.QueueView.as_view(), "queue"),
    address(f"queue/(?P<pk>{UUID_PATTERN})", queue.QueuedRunView.as_view(), "queued-run"),
    address("base-models", base_models.BaseModelsView.as_view(), "base-models"),
    address("base-models/fetches", base_models.FetchesView.as_view(), "model-fetches"),
    address("base-models/uploads", model_uploads.ModelUploadsView.as_view(), "model-uploads"),
    address(f"base-models/uploads/(?P<pk>{UUID_PATTERN})", model_uploads.ModelUploadView.as_view(), "model-upload"),
    address(FETCH, base_models.FetchView.as_view(), "model-fetch"),
    address(f"{FETCH}/cancel", base_models.CancelFetchView.as_view(), "cancel-model-fetch"),
    address(f"{FETCH}/continue", base_models.ContinueFetchView.as_view(), "continue-model-fetch"),
    address("browse", folders.FoldersView.as_view(), "browse"),
    address("concepts/preview", folders.ConceptPreviewView.as_view(), "concept-preview"),
    address("audit", AuditView.as_view(), "audit"),
    address("me", MeView.as_view(), "me"),
    address("me/token", api_tokens.TokenView.as_view(), "me-token"),
    address("me/tokens", api_tokens.TokensView.as_view(), "me-tokens"),
    address(r"me/tokens/(?P<pk>\d{1,18})", api_tokens.OneTokenView.as_view(), "me-one-token"),
    address("auth/token", api_tokens.NewTokenPairView.as_view(), "auth-token"),
    address("auth/refresh", api_tokens.RefreshTokenView.as_view(), "auth-refresh"),
    address("auth/revoke", api_tokens.RevokeTokenPairView.as_view(), "auth-revoke"),
    address("ws-ticket", api_tokens.TicketView.as_view(), "ws-ticket"),
    address("me/secrets", SecretsView.as_view(), "me-secrets"),
    path("", include(router.urls)),
]
documentation = [
    path("", login_not_required(RedirectView.as_view(pattern_name="api:docs")), name="root"),
    address(
        "schema",
        SpectacularAPIView.as_view(content_negotiation_class=DefaultContentNegotiation),
        "schema",
    ),
    address("docs", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), "docs"),
]
urlpatterns = [*single_trainer, *resources, *documentation, re_path("", NoSuchAddressView.as_view())]
