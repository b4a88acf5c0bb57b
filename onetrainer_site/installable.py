"""The site as an installable app: its manifest, and the script for when the server is unreachable."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

SIZES = (192, 512)


@login_not_required
@require_safe
@cache_control(max_age=3600)
def manifest(request: HttpRequest) -> HttpResponse:
    """The W3C's web app manifest."""
    icons = [{"src": static("img/icon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}]
    for size in SIZES:
        source = static(f"img/icon-{size}.png")
        icons.append({"src": source, "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"})
    content = {
        "name": "OneTrainer Web UI",
        "short_name": "OneTrainer",
        "description": _("Train diffusion models on your own GPUs."),
        "id": reverse("dashboard"),
        "start_url": reverse("dashboard"),
        "display": "standalone",
        "background_color": "#0b66c3",
        "theme_color": "#0b66c3",
        "icons": icons,
        "shortcuts": [
            {"name": _("Runs"), "url": reverse("runs")},
            {"name": _("Samples"), "url": reverse("samples")},
            {"name": _("New run"), "url": reverse("new-run")},
        ],
    }
    return JsonResponse(content, content_type="application/manifest+json")


@login_not_required
@require_safe
@cache_control(max_age=0)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Served at the root, since a service worker only controls addresses below its own."""
    return render(request, "service_worker.js", content_type="text/javascript")


@login_not_required
@require_safe
def away(request: HttpRequest) -> HttpResponse:
    """The page that the browser stores, and shows while the server is unreachable."""
    return render(request, "away.html")
