"""Whether this site can use OneTrainer, with a training of two steps as a test."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from engine.engines import UnknownEngine, get_engine
from engine.guest.environment import of_engine
from engine.interface.journal import FILE_NAME, Event, read_journal
from engine.interface.json_types import JsonObject
from engine.launcher import LOG_FILE, EngineProcess
from engine.onetrainer.check import OK, WRONG, PartCheck, look
from engine.onetrainer.facts import StillReading, Unavailable
from presets.config import configs
from presets.config.paths import with_absolute_paths
from system.models import Job
from web.errors import DomainError
from worker.guest import guest_of

PROOF_SECONDS = 600
LOOK_SECONDS = 0.2
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}


def check(training: bool = True, beat: Callable[[], object] = lambda: None) -> list[PartCheck]:
    """All findings about the checkout in the settings; `training` also trains two steps."""
    findings, facts = look(settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON, beat)
    if training and is_usable(findings):
        findings.append(prove(bool(facts["torch"]["devices"]), beat))
    return findings


def is_usable(findings: list[PartCheck]) -> bool:
    return all(finding.state != WRONG for finding in findings)


def prove(on_gpu: bool, beat: Callable[[], object]) -> PartCheck:
    """Train the demo for two steps, as a run is trained, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="onetrainer-check-") as name:
        folder, began = Path(name), time.monotonic()
        try:
            _learn_settings(beat)
            spec = {"run_id": "check", "attempt": 1, "engine": "onetrainer", "resume_from": None}
            spec["config"] = _demo_config(folder, on_gpu)
            events = _train(folder / "attempt", spec, on_gpu, beat)
        except (UnknownEngine, Unavailable, DomainError, OSError, ValueError) as error:
            return PartCheck(
                "Training", WRONG, _("It could not be started (%(error)s): see the other lines.") % {"error": error}
            )
        return _judge(events, folder / "attempt" / LOG_FILE, time.monotonic() - began)


def _learn_settings(beat: Callable[[], object]) -> None:
    """A run's config is checked against OneTrainer's own settings, read once per version. Raises Unavailable."""
    engine = get_engine("onetrainer")
    while True:
        try:
            engine.schema()
            return
        except StillReading:  # the reading ends with settings or with a reason
            time.sleep(LOOK_SECONDS)
            beat()


def _demo_config(folder: Path, on_gpu: bool) -> JsonObject:
    """The demo's config with two steps and no samples, which writes only into the folder."""
    demo = with_absolute_paths(json.loads((settings.DEMO_DIR / "config.json").read_text()))
    pictures = sum(_count_pictures(concept["path"]) for concept in demo["concepts"])
    changes = {
        "epochs": 1,
        "batch_size": max(1, pictures // 2),
        "samples": [],
        "sample_after_unit": "NEVER",
        "backup_before_save": False,
        "workspace_dir": str(folder / "workspace"),
        "cache_dir": str(folder / "cache"),
        "output_model_destination": str(folder / "model.safetensors"),
        "train_device": "cuda" if on_gpu else "cpu",
        "temp_device": "cpu",
    }
    return configs.full_config("onetrainer", demo, changes)


def _count_pictures(folder: str) -> int:
    return sum(file.suffix.lower() in PICTURES for file in Path(folder).rglob("*"))


def _train(folder: Path, spec: JsonObject, on_gpu: bool, beat: Callable[[], object]) -> list[Event]:
    """Run the driver and return its output; it never outlives this call."""
    environment = of_engine()
    environment |= {"PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)} | ({} if on_gpu else {"CUDA_VISIBLE_DEVICES": ""})
    command = get_engine("onetrainer").command(folder)
    spec = {**spec, "guest": guest_of(spec["config"], folder, folder)}
    process = EngineProcess.start(folder, spec, command, settings.BASE_DIR, environment)
    deadline = time.monotonic() + PROOF_SECONDS
    try:
        while process.alive and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            beat()
    finally:
        process.kill()
    return read_journal(folder / FILE_NAME, 0)[0]


def _judge(events: list[Event], log: Path, seconds: float) -> PartCheck:
    by_kind = {event.kind: event for event in events}
    if failed := by_kind.get("failed"):
        return PartCheck("Training", WRONG, f"It failed: {failed.data['message']}")
    losses = [
        event.data["values"]["loss"] for event in events if event.kind == "metrics" and "loss" in event.data["values"]
    ]
    if "ended" not in by_kind:
        return PartCheck("Training", WRONG, f"It ended without a result after {seconds:.0f} s: {_last_line(log)}")
    models = [event for event in events if event.kind == "artifact" and event.data.get("kind") == "model"]
    if not (losses and models):
        return PartCheck("Training", WRONG, f"It trained no step or saved no model: {_last_line(log)}")
    return PartCheck(
        "Training", OK, f"{len(losses)} steps of the demo in {seconds:.0f} s, with a loss of {losses[-1]:.3g}"
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "its log is empty."


def ask_for_check(user: User | None = None, training: bool = True) -> Job:
    """Request a check of OneTrainer, or return the one in progress."""
    going_on = Job.objects.open().filter(kind=Job.Kind.CHECK).first()
    facts = {"arguments": {"training": training}, "user": user, "host": settings.HOST_NAME}
    return going_on or Job.objects.create(kind=Job.Kind.CHECK, **facts)
