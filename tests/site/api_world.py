"""A small world in which every call of `api_calls` succeeds, for the examples in the API document."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.timezone import now
from PIL import Image

from engine.launcher import PROCESS_FILE, Identity, write_json
from presets.base_models.uploads import ModelUpload
from presets.datasets import verbs, versions
from presets.datasets.files import PictureState, locked, sha256_of
from presets.datasets.versions import Change, record
from presets.editor import drafts
from presets.models import DataSet, DataSetPicture, Draft, ModelFetch, Preset
from samples.models import Sample
from system.models import Job, Worker
from tests.making import make_preflight, make_preset, make_run
from tests.site.api_calls import (
    BACKUP,
    CALLS,
    CANCELLED,
    CLEANED,
    CLEANUP,
    DATA_SET,
    FETCH,
    FINISHED,
    IMPORT,
    MODEL_UPLOAD,
    PREFLIGHT,
    QUEUED,
    RUNNING,
    SAMPLE,
    UPLOAD,
)
from training.models import Artifact, Metric, Run, SavedView


def make_world(owner: Any) -> None:
    """A running, a finished and a queued run with all their rows and files."""
    (settings.DATA_DIR / "datasets" / "stars").mkdir(parents=True, exist_ok=True)
    (settings.DATA_DIR / "datasets" / "workspace" / "backup").mkdir(parents=True, exist_ok=True)
    preset = make_preset("SD 1.5/Stars", {"learning_rate": 0.001}, owner=owner)
    _edit(drafts.get_draft(owner))
    _draw(settings.DATA_DIR / "datasets" / "blue")
    worker = Worker.objects.create(name="host:gpu0", host="host", gpu="0", device_name="NVIDIA H100", status="busy")
    facts = {"owner": owner, "preset": preset, "preset_version": preset.versions.first()}
    where = {"epoch": 3, "epoch_step": 20, "epoch_sample": 160, "global_step": 320, "max_step": 100, "max_epoch": 20}
    make_run("Waiting", id=QUEUED, **facts, attempt=1, start_after=now() + timedelta(minutes=1))
    finished = make_run("Stars", Run.Status.FINISHED, id=FINISHED, **facts, **where, loss=0.08, smooth_loss=0.09)
    running = make_run(
        "Blue stars",
        Run.Status.RUNNING,
        id=RUNNING,
        **facts,
        **where,
        worker=worker,
        status_text="Training ...",
        phase="training",
        loss=0.087,
        smooth_loss=0.091,
        steps_per_second=4.0,
        seconds_per_step=0.25,
    )
    _fill(running, finished, owner)
    _check(owner)
    imported = {"path": "/home/ada/OneTrainer/workspace/run", "name": "", "follow": True}
    facts = {"status": Job.Status.DONE, "detail": "1 training was imported.", "result": {"runs": [str(FINISHED)]}}
    _clean(owner)
    _make_data_set(owner)
    _fetch(owner)
    SavedView.objects.create(user=owner, name="Failed", query="status=failed")
    Job.objects.create(id=IMPORT, kind=Job.Kind.IMPORT, arguments=imported, host="host", ended_at=now(), **facts)


def _clean(owner: Any) -> None:
    """A disk usage count, a previewed clean-up, and a finished clean-up."""
    counted = {"bytes": 5_000_000, "kinds": {"backups": 5_000_000}, "folders": {"runs": 5_000_000}, "things": []}
    runs = [{"id": str(FINISHED), "name": "Stars", "bytes": 5_000_000, "kinds": {"backups": 5_000_000}}]
    result = {**counted, "measured_at": "2026-11-23T20:00:00Z", "runs": runs}
    done = {"status": Job.Status.DONE, "ended_at": now(), "user": owner}
    Job.objects.create(kind=Job.Kind.MEASURE, result=result, **done)
    detail, result = "2 items were deleted, which freed 10 MB.", {"removed": 2, "bytes": 10_000_000, "left": []}
    Job.objects.create(id=CLEANED, kind=Job.Kind.CLEANUP, detail=detail, result=result, **done)
    planned = {"items": [], "bytes": 0, "choice": {}}
    Job.objects.create(id=CLEANUP, kind=Job.Kind.CLEANUP, status=Job.Status.PLANNED, arguments=planned, user=owner)


def _draw(folder: Path) -> None:
    """A data set of two pictures, one with a caption."""
    shutil.rmtree(settings.DATA_DIR / "models" / "stars", ignore_errors=True)
    (folder / "old").mkdir(parents=True, exist_ok=True)
    for number, size in enumerate([(64, 48), (32, 32)], start=1):
        Image.new("RGB", size, "blue").save(folder / f"{number}.png", compress_level=0)
    (folder / "1.txt").write_text("a blue star")


def _make_data_set(owner: Any) -> None:
    """A data set with two versions, of which one is undone and one can be redone, and an upload that was cut off."""
    data_set = DataSet.objects.create(pk=DATA_SET, name="rex", owner=owner, tags="dog")
    shutil.rmtree(data_set.folder, ignore_errors=True)
    data_set.folder.mkdir()
    Image.new("RGB", (64, 48), "brown").save(data_set.folder / "1.png", compress_level=0)
    (data_set.folder / "1.txt").write_text("a photo of rex\n")
    state = PictureState(sha256_of(data_set.folder / "1.png"), "a photo of rex")
    row = DataSetPicture(pk=DATA_SET, data_set=data_set, name="1.png", sha256=state.sha256)
    row.save()
    with locked(data_set):
        record(data_set, "Uploaded: 1.png", [Change("1.png", None, state)], owner)
    for caption in ("rex", "a dog"):
        verbs.set_caption(data_set, DATA_SET, caption, owner)
    versions.undo(data_set, owner)
    facts = {"filename": "2.jpg", "size": 4_000_000, "offset": 1_000_000, "batch": "summer"}
    data_set.uploads.create(id=UPLOAD, user=owner, **facts)


def _fetch(owner: Any) -> None:
    """A base model that is being fetched, one whose fetch was cancelled, and one that is half uploaded."""
    facts = {"kind": Job.Kind.FETCH, "host": "host", "user": owner}
    received = {"phase": "fetching", "bytes": 1_000_000_000, "total": 3_000_000_000, "speed": 50_000_000}
    arguments = {"source": "stable-diffusion-v1-5/stable-diffusion-v1-5", "sha256": "", "cache_dir": ""}
    running = {"arguments": arguments, "status": Job.Status.RUNNING, "result": received}
    ModelFetch.objects.create(id=FETCH, **facts, **running)
    ended = {"status": Job.Status.CANCELLED, "detail": "Cancelled: the fetched part is kept.", "ended_at": now()}
    other = {"arguments": {**arguments, "source": "stabilityai/stable-diffusion-xl-base-1.0"}}
    ModelFetch.objects.create(id=CANCELLED, **facts, **ended, **other)
    upload = ModelUpload(str(MODEL_UPLOAD), "stars.safetensors", 4_000_000, owner.pk)
    upload.partial.parent.mkdir(parents=True, exist_ok=True)
    upload.partial.write_bytes(bytes(1_000_000))
    upload.facts.write_text(json.dumps(asdict(upload)))


def _check(owner: Any) -> None:
    """A preflight with one warning."""
    message = (
        "1 picture has no caption and is trained with an empty caption: 9.png; write a .txt file of the same name, "
        "or choose another prompt_source"
    )
    make_preflight(
        owner,
        id=PREFLIGHT,
        worker="host:gpu0",
        stage="memory and disk",
        problems=[{"field": "concepts.0.path", "message": message, "severity": "warning"}],
        estimate={"memory": {"total": 4_100_000_000, "parts": {"weights": 2_100_000_000}}},
        ended_at=now(),
    )


def _edit(draft: Draft) -> None:
    """A draft with two steps, one of them undone."""
    for revision, field, value in ((0, "epochs", 20), (1, "batch_size", 4)):
        drafts.apply(draft, revision, [{"field": field, "value": value}])
    drafts.undo(draft, 2)


def _fill(running: Run, finished: Run, owner: Any) -> None:
    running.events.create(kind="created", data={"name": running.name}, user=owner)
    running.commands.create(attempt=1, kind="backup", status="done", detail="Written.", requested_by=owner)
    for step, value in ((1, 0.31), (2, 0.27)):
        Metric.objects.create(run=running, attempt=1, tag="loss", step=step, value=value, time=1.8e9 + step)
    running.attempt_folder.mkdir(parents=True, exist_ok=True)
    running.log_file.write_text("loading the model\n")
    write_json(running.attempt_folder / PROCESS_FILE, asdict(Identity.of(os.getpid())))
    backup = finished.folder / "backup"
    backup.mkdir(parents=True, exist_ok=True)
    facts = {"attempt": 1, "sequence": 1, "global_step": 300, "epoch": 3}
    finished.artifacts.create(id=BACKUP, kind=Artifact.Kind.BACKUP, path=str(backup), size=5_000_000, **facts)
    Sample.objects.create(
        id=SAMPLE,
        run=running,
        path=str(running.folder / "samples" / "0.png"),
        prompt="a red star",
        settings={"width": 512, "height": 512, "seed": 1},
        **facts,
    )


def call(client: Any, operation: str) -> Any:
    """Make the call of this operation in the world; returns the answer."""
    method, address, body = CALLS[operation]
    names = {"preset": Preset.objects.get().pk, "worker": Worker.objects.get().pk}
    names["view"] = SavedView.objects.get().pk
    names["data"] = settings.DATA_DIR
    return getattr(client, method)(address.format(**names), in_place(body), format="json")


def in_place(body: Any) -> Any:
    """The request with the path of the data folder filled in."""
    if isinstance(body, dict):
        return {key: in_place(value) for key, value in body.items()}
    if isinstance(body, list):
        return [in_place(value) for value in body]
    return body.replace("{data}", str(settings.DATA_DIR)) if isinstance(body, str) else body


def filled(path: str, run: UUID = RUNNING) -> str:
    """An address of the API document with the ids of the world's rows."""
    return path.format(
        id=run if path.startswith("/api/runs/") else _id(path),
        run_id=run,
        artifact_id=BACKUP,
        number=1,
        name="SD 1.5%2FStars",
        picture=DATA_SET,
    )


def _id(path: str) -> Any:
    """The id of the row whose address begins with the words before `{id}`."""
    ids = {
        "samples": SAMPLE,
        "presets": Preset.objects.get().pk,
        "workers": Worker.objects.get().pk,
        "views": SavedView.objects.get().pk,
        "datasets": DATA_SET,
        "datasets/uploads": UPLOAD,
        "base-models/fetches": FETCH,
        "base-models/uploads": MODEL_UPLOAD,
        "artifacts": BACKUP,
        "queue": QUEUED,
        "cleanup/jobs": CLEANED,
        "config/preflight": PREFLIGHT,
        "runs/import": IMPORT,
    }
    return ids.get(path.removeprefix("/api/").split("/{id}")[0])
