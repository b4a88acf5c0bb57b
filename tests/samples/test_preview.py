"""The live picture of a sample: from the journal to browsers."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from engine.interface.files import PREVIEW
from engine.interface.journal import Event
from tests.api import content, viewer
from tests.making import make_run
from training.progress.pace import Pace
from worker.ingest import Transcript

pytestmark = pytest.mark.django_db


def test_browsers_are_told_an_address_and_no_path():
    run = make_run(status="running")
    path = str(run.folder / "workspace" / PREVIEW)
    event = Event(1, 1.0, "sample_progress", {"kind": "custom", "current": 2, "total": 9, "path": path})
    messages = [json.loads(text) for _, text in Transcript(run, Pace.of(run.progress), [event]).store(10)]
    told = next(message["data"] for message in messages if message["type"] == "sample_custom_progress")
    assert told == {
        "kind": "custom",
        "current": 2,
        "total": 9,
        "run_id": str(run.pk),
        "url": f"/api/runs/{run.pk}/preview?v=1",
    }


def test_the_address_gives_the_newest_picture_and_is_asked_again():
    run, api = make_run(status="running"), viewer()
    address = f"/api/runs/{run.pk}/preview"
    assert api.get(address).status_code == 404
    path = run.folder / "workspace" / PREVIEW
    path.parent.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(path)
    answer = api.get(address)
    assert content(answer) == path.read_bytes() and "no-cache" in answer.headers["Cache-Control"]
