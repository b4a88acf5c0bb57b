"""Pages."""

from django.urls import path

from samples import views

urlpatterns = [
    path("samples/", views.samples, name="samples"),
    path("samples/<uuid:pk>/", views.sample, name="sample"),
]
