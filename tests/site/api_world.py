"""A small world in which every call of the API succeeds, and the calls, for the examples in the API document."""

from __future__ import annotations

import os
import re
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
from presets.datasets import verbs, versions
from presets.datasets.files import PictureState, locked, sha256_of
from presets.datasets.versions import Change, record
from presets.editor import drafts
from presets.models import DataSet, DataSetPicture, Draft, Preset
from samples.models import Sample
from system.models import Job, Worker
from tests.making import make_preflight, make_preset, make_run
from training.models import Artifact, Metric, Run, SavedView

RUNNING = UUID("5b1c7e1e-8d0f-4e55-9d0a-3a3f6f0b7a11")
FINISHED = UUID("0d9a3a52-6c7e-4b4f-8a55-1f0e2b6c9d22")
QUEUED = UUID("7c4e1f90-2b3d-4a6c-9e8f-5d4c3b2a1033")
SAMPLE = UUID("a1b2c3d4-1111-4222-8333-444455556666")
IMPORT = UUID("c3d4e5f6-3333-4444-8555-666677778888")
PREFLIGHT = UUID("d4e5f6a7-4444-4555-8666-777788889999")
BACKUP = UUID("b2c3d4e5-2222-4333-8444-555566667777")
CLEANUP = UUID("e5f6a7b8-5555-4666-8777-888899990000")
CLEANED = UUID("f6a7b8c9-6666-4777-8888-999900001111")
UPLOAD = UUID("a7b8c9d0-7777-4888-8999-000011112222")
DATA_SET = 9_000_001  # ids that no sequence of a test reaches
REX = f"/api/datasets/{DATA_SET}"
STARS = {"name": "stars", "path": "{data}/datasets/stars"}
CONFIG = {"base_model_name": "stable-diffusion-v1-5/stable-diffusion-v1-5", "concepts": [STARS], "seed": 7}
DRAW = {"prompt": "a red star", "width": 512, "height": 512, "steps": 30, "seed": 1}

# operation id -> (method, address, request): every operation with a short JSON answer.
CALLS: dict[str, tuple[str, str, Any]] = {
    "training_status_retrieve": ("get", "/api/training/status", None),
    "training_progress_retrieve": ("get", "/api/training/progress", None),
    "training_start_create": ("post", "/api/training/start", {"config_dict": CONFIG, "name": "Red stars"}),
    "training_stop_create": ("post", "/api/training/stop", None),
    "training_backup_create": ("post", "/api/training/backup", None),
    "training_save_create": ("post", "/api/training/save", None),
    "config_list_retrieve": ("get", "/api/config/list", None),
    "config_current_partial_update": (
        *("patch", "/api/config/current"),
        {"revision": 3, "changes": [{"field": "optimizer.beta1", "value": 0.95}, {"field": "epochs", "unset": True}]},
    ),
    "config_current_undo_create": ("post", "/api/config/current/undo", {"revision": 3}),
    "config_current_redo_create": ("post", "/api/config/current/redo", {"revision": 3}),
    "config_save_create": ("post", "/api/config/save/SDXL%2FLoRA 16GB", {"batch_size": 4}),
    "config_validate_create": ("post", "/api/config/validate", {**CONFIG, "epochs": "many"}),
    "samples_default_create": ("post", "/api/samples/default", None),
    "samples_custom_create": ("post", "/api/samples/custom", DRAW),
    "samples_generate_create": ("post", "/api/samples/generate", DRAW),
    "samples_list_retrieve": ("get", "/api/samples/list", None),
    "samples_latest_retrieve": ("get", "/api/samples/latest?count=1", None),
    "samples_list": ("get", "/api/samples/", None),
    "samples_retrieve": ("get", f"/api/samples/{SAMPLE}/", None),
    "samples_partial_update": ("patch", f"/api/samples/{SAMPLE}/", {"favourite": True}),
    "system_info_retrieve": ("get", "/api/system/info", None),
    "system_resources_retrieve": ("get", "/api/system/resources", None),
    "system_processes_retrieve": ("get", "/api/system/processes", None),
    "me_retrieve": ("get", "/api/me", None),
    "me_token_create": ("post", "/api/me/token", None),
    "me_tokens_retrieve": ("get", "/api/me/tokens", None),
    "me_tokens_create": ("post", "/api/me/tokens", {"name": "cluster", "scope": "read", "days": 90}),
    "auth_token_create": ("post", "/api/auth/token", {"scope": "train"}),
    "ws_ticket_create": ("post", "/api/ws-ticket", None),
    "me_secrets_retrieve": ("get", "/api/me/secrets", None),
    "me_secrets_update": ("put", "/api/me/secrets", {"huggingface_token": "hf_example"}),
    "runs_list": ("get", "/api/runs/?page_size=1&status=running", None),
    "runs_create": ("post", "/api/runs/", {"config_dict": CONFIG, "name": "Red stars", "tags": ["red"]}),
    "runs_retrieve": ("get", f"/api/runs/{FINISHED}/", None),
    "runs_partial_update": ("patch", f"/api/runs/{FINISHED}/", {"notes": "The best so far", "tags": ["keep"]}),
    "runs_stop_create": ("post", f"/api/runs/{RUNNING}/stop/", None),
    "runs_cancel_create": ("post", f"/api/runs/{QUEUED}/cancel/", None),
    "runs_start_now_create": ("post", f"/api/runs/{QUEUED}/start_now/", None),
    "runs_pause_create": ("post", f"/api/runs/{RUNNING}/pause/", None),
    "runs_continue_create": ("post", f"/api/runs/{RUNNING}/continue/", None),
    "runs_backup_create": ("post", f"/api/runs/{RUNNING}/backup/", None),
    "runs_save_create": ("post", f"/api/runs/{RUNNING}/save/", None),
    "runs_sample_create": ("post", f"/api/runs/{RUNNING}/sample/", {"prompt": "a red star", "seed": 1}),
    "runs_resume_create": ("post", f"/api/runs/{FINISHED}/resume/", {"backup": str(BACKUP)}),
    "runs_restart_create": ("post", f"/api/runs/{FINISHED}/restart/", None),
    "runs_duplicate_create": ("post", f"/api/runs/{FINISHED}/duplicate/", {"overrides": {"seed": 8}}),
    "runs_metrics_retrieve": ("get", f"/api/runs/{RUNNING}/metrics/?tag=loss", None),
    "runs_events_list": ("get", f"/api/runs/{RUNNING}/events/", None),
    "runs_commands_list": ("get", f"/api/runs/{RUNNING}/commands/", None),
    "runs_log_retrieve": ("get", f"/api/runs/{RUNNING}/log/?offset=0", None),
    "runs_artifacts_list": ("get", f"/api/runs/{FINISHED}/artifacts/", None),
    "runs_samples_list": ("get", f"/api/runs/{RUNNING}/samples/", None),
    "runs_diff_retrieve": ("get", f"/api/runs/{RUNNING}/diff/?with=preset", None),
    "runs_import_create": ("post", "/api/runs/import", {"path": "{data}/datasets/workspace", "name": "Old stars"}),
    "runs_import_retrieve": ("get", f"/api/runs/import/{IMPORT}", None),
    "runs_retention_retrieve": ("get", f"/api/runs/{FINISHED}/retention", None),
    "runs_retention_update": ("put", f"/api/runs/{FINISHED}/retention", {"backups": {"keep": 3, "every": 10}}),
    "artifacts_retrieve": ("get", f"/api/artifacts/{BACKUP}", None),
    "artifacts_partial_update": ("patch", f"/api/artifacts/{BACKUP}", {"pinned": True}),
    "retention_retrieve": ("get", "/api/retention", None),
    "queue_retrieve": ("get", "/api/queue", None),
    "queue_partial_update": ("patch", f"/api/queue/{QUEUED}", {"held": True, "position": 1}),
    "cleanup_retrieve": ("get", f"/api/cleanup?kinds=backups&run={FINISHED}&keep=0", None),
    "cleanup_create": ("post", "/api/cleanup", {"token": str(CLEANUP)}),
    "cleanup_jobs_retrieve": ("get", f"/api/cleanup/jobs/{CLEANED}", None),
    "cleanup_usage_retrieve": ("get", "/api/cleanup/usage", None),
    "cleanup_usage_create": ("post", "/api/cleanup/usage", None),
    "presets_list": ("get", "/api/presets/", None),
    "presets_create": ("post", "/api/presets/", {"name": "Small", "config": {"batch_size": 2}, "note": "first"}),
    "presets_retrieve": ("get", "/api/presets/{preset}/", None),
    "presets_partial_update": ("patch", "/api/presets/{preset}/", {"config": {"batch_size": 8}, "note": "faster"}),
    "presets_versions_list": ("get", "/api/presets/{preset}/versions/", None),
    "presets_versions_retrieve": ("get", "/api/presets/{preset}/versions/1/", None),
    "presets_diff_retrieve": ("get", "/api/presets/{preset}/diff/?before=0", None),
    "presets_export_retrieve": ("get", "/api/presets/{preset}/export/", None),
    "presets_revert_create": ("post", "/api/presets/{preset}/revert/", {"version": 1}),
    "presets_duplicate_create": ("post", "/api/presets/{preset}/duplicate/", None),
    "presets_favourite_create": ("post", "/api/presets/{preset}/favourite/", None),
    "presets_export_all": ("get", "/api/presets/export/", None),
    "presets_import_create": ("post", "/api/presets/import/", {"presets": [{"name": "Small", "config": {}}]}),
    "config_preflight_create": ("post", "/api/config/preflight", {**CONFIG, "epochs": 2}),
    "config_preflight_retrieve": ("get", f"/api/config/preflight/{PREFLIGHT}", None),
    "browse_retrieve": ("get", "/api/browse?path={data}/datasets/blue&kind=file", None),
    "browse_create": ("post", "/api/browse", {"path": "{data}/models", "name": "stars"}),
    "concepts_preview_retrieve": ("get", "/api/concepts/preview?path={data}/datasets/blue", None),
    "datasets_list": ("get", "/api/datasets/?name=rex", None),
    "datasets_create": ("post", "/api/datasets/", {"name": "max", "tags": "dog, garden"}),
    "datasets_retrieve": ("get", f"{REX}/", None),
    "datasets_partial_update": ("patch", f"{REX}/", {"notes": "From the summer", "tags": "dog"}),
    "datasets_versions_list": ("get", f"{REX}/versions/", None),
    "datasets_difference_retrieve": ("get", f"{REX}/difference/?since=1", None),
    "datasets_undo_create": ("post", f"{REX}/undo/", None),
    "datasets_redo_create": ("post", f"{REX}/redo/", None),
    "datasets_restore_create": ("post", f"{REX}/restore/", None),
    "datasets_rescan_create": ("post", f"{REX}/rescan/", None),
    "datasets_known_create": ("post", f"{REX}/known/", {"sha256": [64 * "a"]}),
    "datasets_limits_retrieve": ("get", "/api/datasets/limits/", None),
    "datasets_pictures_list": ("get", f"{REX}/pictures?show=captioned&limit=1", None),
    "datasets_pictures_retrieve": ("get", f"{REX}/pictures/{DATA_SET}", None),
    "datasets_pictures_partial_update": ("patch", f"{REX}/pictures/{DATA_SET}", {"caption": "rex in the garden"}),
    "datasets_pictures_exclude_create": ("post", f"{REX}/pictures/exclude", {"pictures": [DATA_SET]}),
    "datasets_pictures_remove_create": ("post", f"{REX}/pictures/remove", {"pictures": [DATA_SET]}),
    "datasets_pictures_ids_retrieve": ("get", f"{REX}/pictures/ids?order=name", None),
    "datasets_tags_retrieve": ("get", f"{REX}/tags", None),
    "datasets_captions_create": (
        *("post", f"{REX}/captions"),
        {"action": "replace", "text": "rex", "replacement": "rex, the dog", "preview": True},
    ),
    "datasets_uploads_list": ("get", f"{REX}/uploads", None),
    "datasets_uploads_retrieve": ("get", f"/api/datasets/uploads/{UPLOAD}", None),
    "views_list": ("get", "/api/views/", None),
    "views_create": ("post", "/api/views/", {"name": "By loss", "query": "tag=keep&sort=loss"}),
    "views_retrieve": ("get", "/api/views/{view}/", None),
    "views_partial_update": ("patch", "/api/views/{view}/", {"name": "Went wrong"}),
    "workers_list": ("get", "/api/workers/", None),
    "workers_partial_update": ("patch", "/api/workers/host:gpu0/", {"drain": True}),
    "workers_retrieve": ("get", "/api/workers/{worker}/", None),
}
# Long answers, files, and answers without a body have no example.
WITHOUT = {
    "audit_list",  # hashes and times of the moment
    "config_current_retrieve",
    "config_current_update",
    "config_load_retrieve",
    "config_schema_retrieve",
    "config_defaults_retrieve",
    "me_token_destroy",
    "me_tokens_destroy",
    "auth_refresh_create",
    "auth_revoke_create",
    "datasets_destroy",
    "datasets_zip_retrieve",
    "datasets_pictures_create",
    "datasets_pictures_destroy",
    "datasets_pictures_file_retrieve",
    "datasets_uploads_create",
    "datasets_uploads_partial_update",
    "datasets_uploads_destroy",
    "presets_destroy",
    "presets_favourite_destroy",
    "runs_destroy",
    "runs_retention_destroy",
    "artifacts_destroy",
    "retention_update",
    "runs_config_retrieve",
    "runs_artifacts_file_retrieve",
    "runs_preview_retrieve",
    "samples_file_retrieve",
    "samples_thumbnail_retrieve",
    "samples_zip_retrieve",
    "samples_destroy",
    "views_destroy",
    "schema_retrieve",
}


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


UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CLOCK = re.compile(r"before \d\d:\d\d")  # within sentences
TIMES = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?")
KEYS = re.compile(r"\b(?:otw|wst)_[\w-]{40}\b|\beyJ[\w-]+\.[\w-]+\.[\w-]+|\botw_[\w-]{4}(?![\w-])")
KNOWN = {str(each) for each in (RUNNING, FINISHED, QUEUED, SAMPLE, BACKUP, IMPORT, PREFLIGHT, CLEANUP, CLEANED, UPLOAD)}
NEW = "9e107d9d-372b-4826-81d4-2c5f8a1b7e44"
OF_THE_MOMENT = {
    "datasets_limits_retrieve",
    "system_info_retrieve",
    "system_resources_retrieve",
    "system_processes_retrieve",
}


def shown(answer: Any, operation: str) -> Any:
    """The answer without values that change between calls: times, new ids, folders, keys, facts of this host."""
    if operation in OF_THE_MOMENT:
        return _kinds(answer)
    return _shown(answer)


def _kinds(value: Any) -> Any:
    """The type of value at each path; lists are left out, because a host may have no GPU."""
    if isinstance(value, dict):
        return {key: _kinds(content) for key, content in value.items()}
    return "number" if type(value) in (int, float) else type(value).__name__


def _shown(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {inner: _shown(content, inner) for inner, content in value.items()}
    if isinstance(value, list):
        return [_shown(content, key) for content in value]
    if isinstance(value, str):
        return _text(value)
    return 1 if key == "id" else value


def _text(text: str) -> str:
    text = text.replace(str(settings.DATA_DIR), "/data")
    text = TIMES.sub("2026-11-23T20:00:00Z", text)
    text = CLOCK.sub("before 20:00", text)
    text = KEYS.sub(lambda found: found[0][:4] + "0123456789abcdef"[: len(found[0]) - 4], text)
    return UUIDS.sub(lambda found: found[0] if found[0] in KNOWN else NEW, text)
