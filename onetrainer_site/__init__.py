"""Settings, addresses and ASGI: the apps are put together here, and nobody imports it."""
