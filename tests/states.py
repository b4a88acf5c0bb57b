"""Rows for page states that a short training does not reach: `fill()` creates them and returns the pages' addresses.

None of the rows waits for a worker, so pages look the same with and without a worker.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.timezone import now
from PIL import Image

from presets.models import Preflight
from samples.models import Sample
from system.models import Job
from tests.making import make_preflight, make_run
from training.metrics.loss_lines import draw_loss
from training.metrics.summaries import sum_up
from training.models import Metric, Run

GIB = 1024**3
EIGHT = ("Amethyst", "Beryl", "Citrine", "Diamond", "Emerald", "Fluorite", "Garnet", "Heliodor")
STEPS = 40  # of each of the eight runs
ESTIMATE = {
    "memory": {"total": 9 * GIB, "parts": {"weights": 4 * GIB, "optimizer": 2 * GIB, "activations": 3 * GIB}},
    "disk": {"total": 5 * GIB, "parts": {"backups": 4 * GIB, "samples": GIB}},
    "gpus": [{"id": 0, "name": "A card", "memory_total_gb": 24.0}],
}
PROBLEMS = [
    {"field": "base_model_name", "message": "There is no model at /nowhere: choose another.", "severity": "error"},
    {"field": "concepts.0.path", "message": "3 pictures cannot be read, among them 7.png.", "severity": "error"},
    {"field": "learning_rate", "message": "0.1 is unusually high for AdamW.", "severity": "warning"},
]


def fill() -> dict[str, str]:
    """The address of each page that now has content, by name."""
    admin = User.objects.get(username="admin")
    eight = [_ended(number, name, admin) for number, name in enumerate(EIGHT, start=1)]
    waiting = make_run("Waits for a hand", owner=admin, held_at=now(), held_by=admin)
    failed = _failed(admin)
    _jobs(admin, eight)
    sample = eight[0].samples.first()
    run, folder = f"/runs/{waiting.pk}", _concept()
    return {
        "plan": f"/queue/{waiting.pk}/plan/",
        "queue-filled": "/queue/",
        "compare-eight": f"/compare/?runs={','.join(str(run.pk) for run in eight)}",
        "film": f"/samples/{sample.pk}/film/",
        "versus": f"/samples/compare/?a={sample.pk}",
        "concept": f"/concepts/preview/?path={folder}",
        "concept-outside": "/concepts/preview/?path=/etc",
        "imports": "/runs/import/",
        "runs-deleting": "/runs/?tag=eight",
        "runs-none": "/runs/?q=nothing-like-it",
        "samples-none": "/samples/?q=nothing-like-it",
        "presets-none": "/presets/?q=nothing-like-it",
        **{f"preflight-{name}": f"/preflights/{one.pk}/" for name, one in _preflights(admin).items()},
        "failed": f"/runs/{failed.pk}/",
        "failed-log": f"/runs/{failed.pk}/log/?at=error",
        "failed-log-none": f"/runs/{failed.pk}/log/?q=nothing-like-it",
        **{f"waiting{f'-{tab}' if tab else ''}": f"{run}/{tab and f'{tab}/'}" for tab in
           ("", "samples", "metrics", "log", "timeline", "files", "config")},
    }  # fmt: skip


def empty() -> dict[str, str]:
    """Delete all runs and jobs; return the address of each page that is now empty, by name."""
    for model in (Sample, Run, Job):
        model.objects.all().delete()
    pages = ("/", "/runs/", "/queue/", "/compare/", "/samples/", "/runs/import/", "/system/", "/system/cleanup/")
    return {f"empty{page.replace('/', '-').rstrip('-')}": page for page in (*pages, "/system/doctor/")}


def _ended(number: int, name: str, admin: User) -> Run:
    """Each run has a lower loss, longer epochs and slower steps than the run before."""
    then = now() - timedelta(days=number)
    config = {"learning_rate": number / 10_000, "batch_size": 2, "optimizer": {"optimizer": "ADAMW"}}
    run = make_run(
        name, Run.Status.FINISHED, owner=admin, tags=["eight"], config=config, max_step=number, global_step=STEPS,
        max_epoch=STEPS // number, smooth_loss=(9 - number) / 10, created_at=then, started_at=then,
        ended_at=then + timedelta(minutes=number),
    )  # fmt: skip
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="smooth_loss", step=step, value=(9 - number) / 10 + 0.01 * (step % 3),
               time=then.timestamp() + number * step)
        for step in range(STEPS)
    )  # fmt: skip
    sum_up(run, 0)
    draw_loss(run)
    for step in (STEPS // 2, STEPS):
        _sample(run, number, step)
    return run


def _sample(run: Run, number: int, step: int) -> None:
    path = run.folder / f"{step}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (30 * number, 4 * step, 120)).save(path)
    facts = {"prompt": "a gem on black velvet", "settings": {"seed": 5, "width": 64, "height": 64}, "index": 0}
    run.samples.create(attempt=1, sequence=step, path=path, global_step=step, created_at=run.created_at, **facts)


def _failed(admin: User) -> Run:
    """A failed run, with the reason in its log."""
    error = "The GPU ran out of memory: lower batch_size or resolution."
    run = make_run("Out of luck", Run.Status.FAILED, owner=admin, error=error, error_reason="out_of_memory",
                   traceback="Traceback (most recent call last):\n  ...\nOutOfMemoryError", log_tail=error)  # fmt: skip
    run.attempt_folder.mkdir(parents=True, exist_ok=True)
    lines = [f"2026-01-01 12:00:{second:02} INFO step {second}" for second in range(40)]
    run.log_file.write_text("\n".join([*lines, f"2026-01-01 12:01:00 ERROR {error}", ""]))
    return run


def _jobs(admin: User, runs: list[Run]) -> None:
    """Open jobs have a heartbeat in the future, so no worker claims them."""
    late = now() + timedelta(days=1)
    path = {"path": str(settings.DATA_DIR / "workspaces" / "one"), "name": ""}
    done = {"status": "done", "detail": "2 trainings were taken in.", "ended_at": now()}
    running = {"status": "running", "heartbeat_at": late, "worker": "another"}
    facts = {"user": admin, "host": settings.HOST_NAME}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("import", {"arguments": path, "result": {"runs": [str(run.pk) for run in runs[:2]]}, **done}),
        ("import", {"arguments": path, "status": "failed", "detail": "There is no workspace.", "ended_at": now()}),
        ("import", {"arguments": path, "detail": "Reading the curves of training 2 of 5.", **running}),
        ("delete", {"arguments": {"runs": []}, "result": {"done": 120, "of": 400, "left": []}, **running}),
        ("delete", {**done, "result": {"done": 19, "of": 20, "left": [{"label": "Topaz", "why": "It trains."}]}}),
    ]
    for kind, more in kinds:
        Job.objects.create(kind=kind, **facts, **more)


def _preflights(admin: User) -> dict[str, Preflight]:
    done: dict[str, Any] = {"status": "done", "ended_at": now(), "estimate": ESTIMATE}
    running = {"status": "running", "stage": "the pictures", "current": 1200, "total": 5000, "worker": "another"}
    states: dict[str, dict[str, Any]] = {
        "errors": {**done, "problems": PROBLEMS},
        "fine": done,
        "failed": {"status": "failed", "detail": "The check ended without a word: press Check again."},
        "running": {**running, "heartbeat_at": now() + timedelta(days=1)},
    }
    return {name: make_preflight(admin, **facts) for name, facts in states.items()}


def _concept() -> Path:
    """A folder with pictures; one has no caption."""
    folder = settings.DATA_DIR / "datasets" / "gems"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        Image.new("RGB", (64, 48 + 16 * number), "teal").save(folder / f"{number}.png")
    (folder / "0.txt").write_text("a gem on black velvet")
    (folder / "1.txt").write_text("")
    return folder
