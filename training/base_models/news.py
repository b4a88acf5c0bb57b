"""News of fetches to open pages: numbers alone, since an address may hold a signature."""

from __future__ import annotations

from asgiref.sync import async_to_sync

from engine.interface.json_types import JsonObject
from presets.models import ModelFetch
from training.live.publisher import ALL_RUNS, envelope, send_all


def fetch_news(row: ModelFetch) -> JsonObject:
    """The progress of a fetch, as the page's script and other clients get it."""
    return {
        "id": str(row.pk),
        "status": row.status,
        "phase": row.phase,
        "detail": row.detail,
        "bytes_done": row.bytes_done,
        "bytes_total": row.bytes_total,
        "bytes_per_second": row.bytes_per_second,
        "seconds_left": row.seconds_left,
    }


def announce_fetch(row: ModelFetch) -> None:
    """Send the progress to all clients; a channel layer that is away delays nothing for long."""
    async_to_sync(send_all)([(ALL_RUNS, envelope("model_fetch", fetch_news(row)))])
