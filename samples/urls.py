"""Pages."""

from django.urls import path

from samples import views, views_compare, views_run, views_runs_compared, views_selection

urlpatterns = [
    path("compare/", views_runs_compared.compare_runs, name="compare"),
    path("samples/", views.samples, name="samples"),
    path("runs/<uuid:pk>/samples/", views_run.samples, name="run-samples"),
    path("samples/selection/", views_selection.selection, name="samples-selection"),
    path("samples/compare/", views_compare.compare, name="samples-compare"),
    path("samples/<uuid:pk>/", views.sample, name="sample"),
    path("samples/<uuid:pk>/favourite/", views.favourite, name="sample-favourite"),
    path("samples/<uuid:pk>/film/", views_compare.film_page, name="sample-film"),
    path("samples/<uuid:pk>/film/<slug:kind>/", views_compare.film_file, name="sample-film-file"),
]
