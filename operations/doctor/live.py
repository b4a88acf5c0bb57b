"""Live updates and the cache: a message is sent through the channel layer and received."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from operations.doctor.finding import Asked, Finding, counted, fine, look_at, note, wrong
from system.data_folder import is_served

PATIENCE = 3.0  # seconds


def look(asked: Asked) -> Iterator[Finding]:
    if settings.EMBEDDED_REDIS and not is_served(settings.DATA_DIR):
        yield note("The site is not being served, so there are no live updates to examine.")
        return
    yield _heard()
    yield from _server()


def _heard() -> Finding:
    try:
        seconds = async_to_sync(_send_and_hear)()
    except Exception as error:  # noqa: BLE001  whatever the layer's client raises when its server is away
        why = "nothing came back" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        cure = "restart the site" if settings.EMBEDDED_REDIS else "check REDIS_URL, and that Redis is running"
        return wrong(f"A message through the channel layer was not received ({why}): pages only poll.", cure)
    return fine(f"A message through the channel layer was received after {seconds * 1000:.0f} ms.")


async def _send_and_hear() -> float:
    layer, group = get_channel_layer(), f"doctor.{uuid.uuid4().hex}"
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        began = loop.time()
        await layer.group_send(group, {"type": "doctor"})
        await layer.receive(channel)
        took = loop.time() - began
        await layer.group_discard(group, channel)
    return took


def _server() -> Iterator[Finding]:
    """Redis' own report; a test's channel layer has none."""
    if "redis" not in settings.CHANNEL_LAYERS["default"]["BACKEND"]:
        return
    try:
        with redis.from_url(settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
            facts = client.info()
    except (redis.RedisError, OSError) as error:
        yield wrong(f"Redis does not answer ({error}).", "restart the site, or the Redis that REDIS_URL names")
        return
    used = f"{facts['used_memory'] / 1e6:.1f} MB"
    yield fine(f"Redis {facts['redis_version']}, {used}, {counted(facts['connected_clients'], 'client')}.")
    if facts.get("maxmemory") and facts["used_memory"] > 0.9 * facts["maxmemory"]:
        yield look_at("Redis has used up its allowed memory.", "raise its maxmemory")
