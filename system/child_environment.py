"""What a process that is started here inherits of the environment."""

from __future__ import annotations

import os

PRIVATE = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")


def child_environment() -> dict[str, str]:
    """This process's own without the site's keys and addresses, which are of no use to who trains or checks."""
    return {name: value for name, value in os.environ.items() if name not in PRIVATE}
