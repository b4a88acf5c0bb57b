"""`python -m web.servers.with_uvicorn ...`: uvicorn's own command, with the site's limits."""

from __future__ import annotations

import os
import sys

import uvicorn
import uvicorn.config


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
    import django

    django.setup()  # the protocol reads the limits for each connection
    from web.limits.table import limit

    uvicorn.config.HTTP_PROTOCOLS["auto"] = "web.servers.uvicorn_protocol:LimitedProtocol"
    sys.argv += ["--ws-max-size", str(limit("SOCKET_MESSAGE_BYTES")), "--ws-max-queue", "8"]
    uvicorn.main()


if __name__ == "__main__":
    main()
