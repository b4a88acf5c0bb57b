"""The WebSocket addresses."""

from channels.routing import URLRouter
from django.urls import re_path

from training.live.consumers import LiveConsumer, NoSuchAddress, RunConsumer
from training.live.sign_in import check_origin, sign_in
from web.ids import UUID_PATTERN
from web.proxies import scope_behind_proxies

addresses = URLRouter(
    [
        re_path("^ws/?$", LiveConsumer.as_asgi()),
        re_path(f"^ws/runs/(?P<run_id>{UUID_PATTERN})/?$", RunConsumer.as_asgi()),
        re_path("", NoSuchAddress.as_asgi()),
    ]
)
websocket_application = scope_behind_proxies(check_origin(sign_in(addresses)))
