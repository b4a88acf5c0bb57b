"""Every address of the site."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.i18n import JavaScriptCatalog

from onetrainer_site import installable
from onetrainer_site.dashboard import dashboard
from onetrainer_site.finder.views import find
from system.account.sign_in_pages import AdminSignInView
from system.health import healthz
from web.error_pages import favicon

words_of_scripts = login_not_required(
    cache_control(max_age=3600)(JavaScriptCatalog.as_view(packages=["onetrainer_site"]))
)

urlpatterns = [
    path("api/", include("onetrainer_site.api_urls")),
    path("admin/login/", AdminSignInView.as_view(), name="admin-sign-in"),  # the admin's own knows no second factor
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("favicon.ico", favicon),
    path("jsi18n/", words_of_scripts, name="javascript-catalog"),
    path("manifest.webmanifest", installable.manifest, name="manifest"),
    path("service-worker.js", installable.service_worker),
    path("away/", installable.away, name="away"),
    path("", dashboard, name="dashboard"),
    path("find/", find, name="find"),
    path("", include("presets.urls")),
    path("", include("samples.urls")),
    path("", include("system.urls")),
    path("", include("operations.urls")),
    path("", include("training.urls")),
]

handler400 = "web.refusals.bad_request"
handler403 = "web.error_pages.forbidden"
handler404 = "web.error_pages.not_found"
handler500 = "web.error_pages.failed"
