"""`/healthz`: whether the site works, for load balancers and watchdogs. No sign-in, and no other information."""

from __future__ import annotations

import asyncio
import logging
import shutil

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from engine.interface.json_types import JsonObject
from system.models import Worker
from web.guard.rates import uncounted

logger = logging.getLogger(__name__)
PATIENCE = 3  # seconds; a channel layer that takes longer counts as away
OK, FULL, UNREACHABLE = "ok", "full", "unreachable"
LEAST_ROOM = 100_000_000  # bytes


@uncounted
@login_not_required
@never_cache
@require_safe
async def healthz(request: HttpRequest) -> JsonResponse:
    """200 if pages and API work, else 503; the body counts living and missing workers."""
    workers = await _workers()
    facts: JsonObject = {
        "database": UNREACHABLE if workers is None else OK,
        "channel_layer": await _channel_layer(),
        "disk": await _disk(),
        "workers": workers or {"alive": 0, "missing": 0},
    }
    parts = {facts[name] for name in ("database", "channel_layer", "disk")}
    healthy = parts == {OK} and not _all_missing(facts["workers"])
    return JsonResponse({"status": "ok" if healthy else "failing", **facts}, status=200 if healthy else 503)


def _all_missing(workers: dict[str, int]) -> bool:
    """All workers vanished without signing off. A site without workers, or with some living ones, is healthy."""
    return workers["missing"] > 0 and workers["alive"] == 0


@sync_to_async
def _workers() -> dict[str, int] | None:
    """None if the database does not answer."""
    try:
        running = Worker.objects.exclude(status=Worker.Status.OFFLINE).count()
        alive = Worker.objects.alive().count()
    except DatabaseError as error:
        logger.warning("The database is away: %s", error)
        return None
    return {"alive": alive, "missing": max(0, running - alive)}


@sync_to_async(thread_sensitive=False)  # a file server that is away blocks the process that reads it
def _free_bytes() -> int:
    return shutil.disk_usage(settings.DATA_DIR).free


async def _disk() -> str:
    """`full` if the next row or upload may not fit, `unreachable` if the data folder's disk is away."""
    try:
        async with asyncio.timeout(PATIENCE):
            return OK if await _free_bytes() >= LEAST_ROOM else FULL
    except (OSError, TimeoutError) as error:
        logger.warning("The data folder is away: %r", error)
        return UNREACHABLE


async def _channel_layer() -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await get_channel_layer().group_send("health", {"type": "health"})
    except Exception as error:  # noqa: BLE001  the layer's client raises any exception when its server is away
        logger.warning("The channel layer is away: %s", error)
        return UNREACHABLE
    return OK
