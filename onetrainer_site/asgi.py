"""The ASGI application for uvicorn or daphne: pages and API by Django, WebSockets by Channels."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
django_application = get_asgi_application()

from onetrainer_site.routing import websocket_application  # noqa: E402  needs the apps to be loaded
from web.guard.requests import limited, limited_socket  # noqa: E402
from worker.leases import keep_leases  # noqa: E402


async def http_application(scope: Any, receive: Any, send: Any) -> None:
    """Django's application; from its first request it checks the workers' leases, since no worker may be left."""
    keep_leases()
    await django_application(scope, receive, send)


application = ProtocolTypeRouter(
    {"http": limited(http_application), "websocket": limited_socket(websocket_application)}
)
