"""All limits of the site in one table. Each is a setting: `LIMIT_` and its name, such as `LIMIT_BODY_BYTES=5000000`.

README.md shows the same table, and a test attacks every row of it. To add a limit, add a row here, use it by
`limit("NAME")`, put the row that `as_markdown()` prints into README.md, and write the attack in `tests/security`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Limit:
    """A limit, its default, what it is for, and the answer to a request beyond it."""

    name: str
    default: int
    limits: str
    answer: str

    @property
    def setting(self) -> str:
        return f"LIMIT_{self.name}"


TABLE = (
    Limit("UNKNOWN_BODY_BYTES", 16_000, "the body of a request without a valid sign-in or token", "413"),
    Limit("BODY_BYTES", 2_500_000, "the body of any other request", "413"),
    Limit("FILES_BODY_BYTES", 60_000_000, "the body of a form that takes files, such as an import of presets", "413"),
    Limit("UPLOAD_BODY_BYTES", 2_000_000_000, "pictures sent into a data set at once, by a form or a script", "413"),
    Limit("PIECE_BODY_BYTES", 100_000_000, "a piece of an upload into a data set", "413"),
    Limit("BODY_SECONDS", 60, "seconds until the next piece of a body", "408"),
    Limit("HEADER_SECONDS", 20, "seconds from a new connection to the end of its headers", "the connection is closed"),
    Limit("HEADERS", 100, "the number of headers", "431 (daphne beyond 500: 400)"),
    Limit("HEADER_BYTES", 16_000, "all headers together", "431 (daphne: 400)"),
    Limit("PATH_BYTES", 2_000, "the path of an address", "414"),
    Limit("QUERY_BYTES", 8_000, "the query of an address", "414"),
    Limit("FORM_FIELDS", 6_000, "fields of a form", "400"),
    Limit("FORM_FILES", 500, "files of a form", "400"),
    Limit("JSON_DEPTH", 50, "lists and objects within each other", "400"),
    Limit("JSON_DIGITS", 1_000, "digits of a whole number", "400"),
    Limit("RANGES", 5, "parts of a file in a `Range`, which may not overlap", "416"),
    Limit("PICTURE_BYTES", 200_000_000, "the file of a picture that is shown small", "400"),
    Limit("PICTURE_PIXELS", 64_000_000, "the pixels of such a picture, by its header", "400"),
    Limit("MARKDOWN_CHARACTERS", 50_000, "a note that is shown as Markdown", "the text as it is"),
    Limit("MARKDOWN_MS", 500, "milliseconds for that", "the text as it is"),
    Limit("SOCKETS", 20, "open WebSockets of one person", "closed with 4429"),
    Limit("SOCKET_MESSAGES", 60, "messages of one person's WebSockets within 10 seconds", "closed with 4429"),
    Limit("SOCKET_MESSAGE_BYTES", 4_000, "a message to a WebSocket", "closed with 1009 (daphne: without a code)"),
    Limit("CHANGES_PER_MINUTE", 600, "changes by one person at one address of the pages or the API", "429"),
    Limit("COSTLY_PER_MINUTE", 60, "requests by one person for one thing that is costly to make", "429"),
    Limit("UNKNOWN_PER_MINUTE", 120, "requests from one address without a sign-in", "429"),
)
BY_NAME = {limit.name: limit for limit in TABLE}


def limit(name: str) -> int:
    """The limit of this name, as the settings have it."""
    value: int = settings.LIMITS[name]
    return value


def in_words(size: int) -> str:
    """A number of bytes, such as `16 kB` or `2.5 MB`; decimal."""
    return f"{size / 1_000_000:g} MB" if size >= 1_000_000 else f"{size / 1000:g} kB"


def as_markdown() -> list[str]:
    """The lines of the table in README.md."""
    rows = [f"| `{one.setting}` | {one.default:,} | {one.limits} | {one.answer} |" for one in TABLE]
    return ["| setting | default | limits | answer beyond it |", "| --- | --- | --- | --- |", *rows]
