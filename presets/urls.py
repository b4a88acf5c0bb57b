"""Pages."""

from django.urls import path

from presets import views, views_preflight

urlpatterns = [
    path("preflights/start/", views_preflight.start, name="preflight-start"),
    path("preflights/<uuid:pk>/", views_preflight.show, name="preflight"),
    path("presets/", views.presets, name="presets"),
    path("presets/new/", views.new_preset, name="preset-new"),
    path("presets/import/", views.import_presets, name="presets-import"),
    path("presets/export/", views.export_presets, name="presets-export"),
    path("presets/<int:pk>/", views.preset, name="preset"),
    path("presets/<int:pk>/edit/", views.edit_preset, name="preset-edit"),
    path("presets/<int:pk>/archive/", views.archive_preset, name="preset-archive"),
    path("presets/<int:pk>/export/", views.export_preset, name="preset-export"),
]
