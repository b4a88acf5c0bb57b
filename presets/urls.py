"""Pages."""

from django.urls import path

from presets.datasets import views as views_datasets
from presets.datasets import views_trainer
from presets.editor import views as views_editor
from presets.folders import views as views_browse
from presets.library import views, views_exchange
from presets.preflight import views as views_preflight

urlpatterns = [
    path("browse/", views_browse.folders, name="browse"),
    path("concepts/preview/", views_browse.concept, name="concept-preview"),
    path("concepts/picture/", views_browse.picture, name="concept-picture"),
    path("datasets/", views_datasets.data_sets, name="data-sets"),
    path("datasets/<int:pk>/", views_datasets.data_set, name="data-set"),
    path("datasets/<int:pk>/trainer/", views_trainer.trainer, name="data-set-trainer"),
    path("datasets/<int:pk>/history/", views_datasets.history, name="data-set-history"),
    path("datasets/<int:pk>/pictures/<int:picture>/", views_datasets.thumbnail, name="data-set-thumbnail"),
    path("datasets/<int:pk>/<slug:verb>/", views_datasets.data_set_verb, name="data-set-verb"),
    path("preflights/start/", views_preflight.start, name="preflight-start"),
    path("preflights/<uuid:pk>/", views_preflight.show, name="preflight"),
    path("presets/", views.presets, name="presets"),
    path("presets/new/", views.new_preset, name="preset-new"),
    path("presets/import/", views_exchange.import_presets, name="presets-import"),
    path("presets/export/", views.export_presets, name="presets-export"),
    path("presets/<int:pk>/", views.preset, name="preset"),
    path("presets/<int:pk>/edit/", views_editor.edit_preset, name="preset-edit"),
    path("presets/<int:pk>/archive/", views.archive_preset, name="preset-archive"),
    path("presets/<int:pk>/export/", views.export_preset, name="preset-export"),
    path("presets/<int:pk>/onetrainer/", views_exchange.export_onetrainer, name="preset-onetrainer"),
    path("presets/<int:pk>/revert/", views_exchange.revert, name="preset-revert"),
    path("presets/<int:pk>/duplicate/", views_exchange.duplicate, name="preset-duplicate"),
    path("presets/<int:pk>/favourite/", views_exchange.favourite, name="preset-favourite"),
    path("presets/<int:pk>/delete/", views_exchange.delete, name="preset-delete"),
    path("presets/export.zip", views_exchange.export_zip, name="presets-zip"),
    path("drafts/<int:pk>/edit/", views_editor.edit, name="draft-edit"),
    path("drafts/<int:pk>/revision/", views_editor.revision, name="draft-revision"),
    path("drafts/<int:pk>/find/", views_editor.find, name="draft-find"),
    path("drafts/<int:pk>/json/", views_editor.edit_json, name="draft-json"),
]
