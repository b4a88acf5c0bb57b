"""Pages of the machine."""

from django.urls import include, path

from system import views
from system.audit.views import audit

urlpatterns = [
    path("system/resources/", views.resources, name="resources"),
    path("system/audit/", audit, name="audit"),
    path("", include("system.account.urls")),
]
