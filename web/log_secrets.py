"""Keeps secrets in addresses out of every log of a process: of this site, of its libraries, and of the web server.

Web servers log each address. An address may hold a ticket, the code of a sign-in by another site, or a sign-in link.
"""

from __future__ import annotations

import logging
import re
from typing import Any

HIDDEN = "***"
IN_QUERY = re.compile(r"(?i)([?&](?:token|ticket|code|state|key|password|access|refresh)=)[^&\s\"'#]+")
IN_PATH = re.compile(r"(/sign-in/[^/\s]+/|/password/reset/key/|/confirm-email/)[^/\s\"'?]+")
IN_HEADER = re.compile(r"(?i)\b((?:token|bearer)\s+)(otw_[\w-]+|[0-9a-f]{40}|eyJ[\w.-]+)")


def hide(text: str) -> str:
    """The text without secrets in addresses and headers."""
    text = IN_PATH.sub(rf"\g<1>{HIDDEN}", IN_QUERY.sub(rf"\g<1>{HIDDEN}", text))
    return IN_HEADER.sub(rf"\g<1>{HIDDEN}", text)


def hide_in_all_logs() -> None:
    """Make every log record of this process without secrets, also those of libraries that set up logging themselves."""
    make = logging.getLogRecordFactory()
    if getattr(make, "hides_secrets", False):
        return

    def make_without_secrets(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg = _hidden(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(_hidden(value) for value in record.args)
        return record

    make_without_secrets.hides_secrets = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_without_secrets)


def _hidden(value: Any) -> Any:
    """A text without secrets; other values, such as numbers and requests, stay as they are."""
    return hide(value) if isinstance(value, str) else value
