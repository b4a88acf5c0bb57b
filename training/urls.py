"""Pages."""

from django.urls import path

from training import views, views_files, views_new, views_run

urlpatterns = [
    path("now-training/", views.now_training, name="now-training"),
    path("runs/", views.runs, name="runs"),
    path("runs/new/", views_new.new_run, name="new-run"),
    path("runs/<uuid:pk>/", views_run.overview, name="run"),
    path("runs/<uuid:pk>/samples/", views_run.samples, name="run-samples"),
    path("runs/<uuid:pk>/metrics/", views_run.metrics, name="run-metrics"),
    path("runs/<uuid:pk>/log/", views_run.log, name="run-log"),
    path("runs/<uuid:pk>/config/", views_run.config, name="run-config"),
    path("runs/<uuid:pk>/timeline/", views_run.timeline, name="run-timeline"),
    path("runs/<uuid:pk>/delete/", views_run.delete, name="run-delete"),
    path("runs/<uuid:pk>/log/file/", views_files.log_file, name="run-log-file"),
    path("runs/<uuid:pk>/artifacts/<uuid:artifact_pk>/", views_files.artifact, name="artifact"),
    path("runs/<uuid:pk>/keep-as-preset/", views_run.keep_as_preset, name="preset-from-run"),
    path("runs/<uuid:pk>/<slug:verb>/", views.run_action, name="run-action"),
]
