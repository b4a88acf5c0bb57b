"""Files that are sent while another process replaces them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.test import RequestFactory

from web.serving import send_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def picture():
    path = settings.DATA_DIR / "datasets" / "served" / "preview.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"old" * 1000)
    return path


def body_of(answer):
    async def gather():
        return b"".join([piece async for piece in answer.streaming_content])

    return asyncio.run(gather())


def times_open(path):
    """How often this process has the file open."""
    held = (os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir())
    return sum(target == str(path) for target in held)


def test_a_file_that_is_replaced_while_it_is_sent_is_sent_whole_as_it_was(picture):
    answer = send_file(RequestFactory().get("/"), picture)
    beside = picture.with_name("beside")
    beside.write_bytes(b"new")
    beside.replace(picture)
    assert body_of(answer) == b"old" * 1000 and answer["Content-Length"] == "3000"
    answer.close()


def test_no_answer_keeps_the_file_open(picture):
    ask = RequestFactory()
    first = send_file(ask.get("/"), picture)
    same = send_file(ask.get("/", headers={"If-None-Match": first["ETag"]}), picture)
    answers = [
        first,
        same,
        send_file(ask.head("/"), picture),
        send_file(ask.get("/", headers={"Range": "bytes=9999-"}), picture),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 200, 416]
    assert times_open(picture) == 1, "only for the answer that is not sent yet"
    for answer in answers:
        answer.close()
    assert times_open(picture) == 0
