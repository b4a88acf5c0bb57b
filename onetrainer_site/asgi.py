"""What daphne or uvicorn serves: pages and API by Django, WebSockets by Channels."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
django_application = get_asgi_application()

from onetrainer_site.routing import websocket_application  # noqa: E402  needs the apps to be loaded

application = ProtocolTypeRouter({"http": django_application, "websocket": websocket_application})
