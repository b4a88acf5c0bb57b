"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/", include("onetrainer_site.api_urls")),
    path("admin/", admin.site.urls),
    path("", include("presets.urls")),
    path("", include("samples.urls")),
    path("", include("system.urls")),
    path("", include("training.urls")),
]
