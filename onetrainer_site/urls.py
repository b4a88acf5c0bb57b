"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from onetrainer_site.views import favicon
from system.health import healthz

urlpatterns = [
    path("api/", include("onetrainer_site.api_urls")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("favicon.ico", favicon),
    path("", include("presets.urls")),
    path("", include("samples.urls")),
    path("", include("system.urls")),
    path("", include("training.urls")),
]

handler403 = "onetrainer_site.views.forbidden"
handler404 = "onetrainer_site.views.not_found"
