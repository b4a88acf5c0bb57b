"""Pages of the machine."""

from django.urls import include, path

from system import views

urlpatterns = [
    path("system/resources/", views.resources, name="resources"),
    path("", include("system.account.urls")),
]
