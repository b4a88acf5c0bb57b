"""Requests that wait for a worker's check hold no thread: in the real ASGI application, with one thread for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connections

from onetrainer_site.asgi import django_application
from presets.models import Preflight
from system.models import Job
from tests.api import trainer
from tests.making import make_living_worker, trainable_config
from training.models import Run

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 50


@pytest.fixture
def key(settings):
    """A trainer's token; the worker is alive but never answers, and a start waits ten minutes for it."""
    settings.PREFLIGHT_SECONDS = settings.PREFLIGHT_CLAIM_SECONDS = 600
    make_living_worker()
    return trainer()._credentials["HTTP_AUTHORIZATION"].encode()


def caller(key: bytes, method: str, path: str, body: object = None) -> ApplicationCommunicator:
    sent = json.dumps(body).encode()
    headers = [(b"host", b"localhost"), (b"authorization", key), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(sent)).encode()))
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    communicator = ApplicationCommunicator(django_application, scope)
    communicator.input_queue.put_nowait({"type": "http.request", "body": sent})
    return communicator


async def call(key: bytes, method: str, path: str, body: object = None) -> int:
    """The status of the answer."""
    communicator = caller(key, method, path, body)
    start = await communicator.receive_output(300)
    await communicator.wait(300)
    return int(start["status"])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not await sync_to_async(condition)():
            await asyncio.sleep(0.02)


def answer_all() -> None:
    Job.objects.update(status=Job.Status.DONE, result={"problems": []})


def run(main: Callable[[], object]) -> None:
    """Run the application with one thread for all synchronous code, which the outermost context sets."""

    async def in_one_thread() -> None:
        async with ThreadSensitiveContext():
            await main()  # type: ignore[misc]
            await sync_to_async(connections.close_all)()

    asyncio.run(in_one_thread())


def test_other_requests_are_answered_at_once_while_many_checks_wait(key):
    config = trainable_config()

    async def main() -> None:
        waiting = [asyncio.create_task(call(key, "POST", "/api/config/validate", config)) for _ in range(MANY)]
        await until(lambda: Preflight.objects.count() == MANY)
        assert await call(key, "GET", "/api/training/status") == 200
        assert not any(each.done() for each in waiting)
        await sync_to_async(answer_all)()
        assert await asyncio.gather(*waiting) == [200] * MANY

    run(main)


def test_a_run_starts_even_if_its_caller_hangs_up_during_the_check(key):
    body = {"config_dict": trainable_config()}

    async def main() -> None:
        communicator = caller(key, "POST", "/api/training/start", body)
        starting = asyncio.create_task(communicator.receive_output(300))
        await until(Preflight.objects.exists)
        communicator.input_queue.put_nowait({"type": "http.disconnect"})
        await communicator.wait(300)
        starting.cancel()
        assert not await sync_to_async(Run.objects.exists)()
        await sync_to_async(answer_all)()
        await until(Run.objects.exists)

    run(main)
