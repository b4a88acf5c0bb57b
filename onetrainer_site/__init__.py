"""Settings, addresses and ASGI: this package puts the apps together, and no app imports it."""
