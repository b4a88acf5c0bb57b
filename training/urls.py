"""Pages."""

from django.urls import include, path

from training.base_models import views as views_models
from training.pages import about as views_about
from training.pages import actions as views
from training.pages import config as views_config
from training.pages import files as views_files
from training.pages import new_run as views_new
from training.pages import queue as views_queue
from training.pages import run as views_run
from training.pages import starting
from training.table import views as views_table
from training.table import views_bulk

urlpatterns = [
    path("queue/", views_queue.queue, name="queue"),
    path("queue/<uuid:pk>/", views_queue.change, name="queue-change"),
    path("queue/<uuid:pk>/plan/", views_queue.plan, name="queue-plan"),
    path("models/", views_models.base_models, name="base-models"),
    path("models/fetch/", views_models.fetch, name="model-fetch"),
    path("models/fetches/<uuid:pk>/<slug:verb>/", views_models.change_fetch, name="model-fetch-change"),
    path("models/delete/", views_models.delete, name="model-delete"),
    path("models/token/", views_models.keep_token, name="model-token"),
    path("runs/wizard/", include("training.wizard.urls")),
    path("now-training/", views.now_training, name="now-training"),
    path("runs/", views_table.runs, name="runs"),
    path("runs/bulk/", views_bulk.bulk, name="runs-bulk"),
    path("runs/export/", views_table.export, name="runs-export"),
    path("runs/views/", views_table.save_view, name="save-view"),
    path("runs/views/<int:pk>/delete/", views_table.delete_view, name="delete-view"),
    path("runs/<uuid:pk>/edit/", views_table.edit, name="run-edit"),
    path("runs/<uuid:pk>/favourite/", views_table.favourite, name="run-favourite"),
    path("runs/new/", views_new.new_run, name="new-run"),
    path("runs/new/start/<uuid:pk>/", starting.start_when_checked, name="new-run-start"),
    path("runs/<uuid:pk>/", views_run.overview, name="run"),
    path("runs/<uuid:pk>/metrics/", views_run.metrics, name="run-metrics"),
    path("runs/<uuid:pk>/log/", views_run.log, name="run-log"),
    path("runs/<uuid:pk>/config/", views_config.config, name="run-config"),
    path("runs/<uuid:pk>/config/file/", views_config.config_file, name="run-config-file"),
    path("runs/<uuid:pk>/files/", views_files.files, name="run-files"),
    path("runs/<uuid:pk>/timeline/", views_run.timeline, name="run-timeline"),
    path("runs/<uuid:pk>/delete/", views_run.delete, name="run-delete"),
    path("runs/<uuid:pk>/log/file/", views_files.log_file, name="run-log-file"),
    path("runs/<uuid:pk>/artifacts/<uuid:artifact_pk>/", views_files.artifact, name="artifact"),
    path("runs/<uuid:pk>/keep-as-preset/", views_config.keep_as_preset, name="preset-from-run"),
    path("runs/<uuid:pk>/about/", views_about.about, name="run-about"),
    path(
        "runs/<uuid:pk>/artifacts/<uuid:artifact_pk>/<slug:verb>/", views_about.artifact_action, name="artifact-action"
    ),
    path("runs/<uuid:pk>/<slug:verb>/", views.run_action, name="run-action"),
]
