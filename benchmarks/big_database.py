"""Fill a data folder as years of use would: to see, and to measure, how pages do with much to show.

`python -m benchmarks.big_database FOLDER [--runs 2000] [--samples 200000] [--steps 1000000]`, then
`DATA_DIR=FOLDER manage.py serve --no-worker --no-demo`. With DATABASE_URL it fills that database instead. What it makes
is the same each time. The long run is the newest; its log has 100 MB.
"""

from __future__ import annotations

import argparse
import os
import random
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

DAYS = 730  # over which the runs are spread
PICTURES = 48
BATCH = 2000
SHORT_STEPS = 200  # of each run but the long one
LOG_BYTES = 100 * 1024 * 1024
PEOPLE = ("ada", "grace", "linus", "margaret")
SUBJECTS = ("star", "fox", "harbour", "teapot", "lighthouse", "dragon", "bicycle", "orchid", "castle", "robot")
STYLES = ("watercolour", "ink", "oil", "pixel art", "photograph", "woodcut", "chalk", "neon")
TAGS = ("style", "person", "test", "keeper", "client", "try-out", "sd21", "prodigy")
STATUSES = ("finished", "stopped", "failed", "interrupted", "cancelled", "queued")
SHARES = (62, 14, 12, 5, 5, 2)  # in percent
ERROR = "The GPU's memory is full: choose a smaller batch size or resolution, or turn gradient checkpointing on."

# Of a step's number n, and its noise between 0 and 1; plain arithmetic, so that every database can do it.
SERIES = {
    "loss": "0.05 + 0.3 / (1.0 + n * 20.0 / {steps}) + 0.08 * noise + CASE WHEN n % 9973 = 17 THEN 0.6 ELSE 0 END",
    "smooth_loss": "0.09 + 0.3 / (1.0 + n * 20.0 / {steps}) + 0.002 * noise",
    "lr/unet": "0.0001 * (1.0 - n * 1.0 / {steps})",
    "steps_per_second": "2.4 + 0.2 * noise",
    "gpu_temperature_c": "62 + 6 * noise",
    "gpu_memory_gb": "10.2 + 0.6 * noise",
}
INSERT = """
WITH RECURSIVE steps(n) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM steps WHERE n < %s)
INSERT INTO training_metric (run_id, attempt, tag, step, value, time, superseded)
SELECT {run}, 1, %s, n, {value}, {start} + n * 0.4, {false}
FROM {source} CROSS JOIN (SELECT n, ((n * 7919 + n * n % 104729) % 1000) / 1000.0 AS noise FROM steps) AS noisy
"""


def main() -> None:
    options = _options()
    folder = options.folder.resolve()
    os.environ |= {"DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "onetrainer_site.settings"}
    import django

    django.setup()
    _fill(options, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, default in (("runs", 2000), ("samples", 200_000), ("steps", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def _fill(options: argparse.Namespace, folder: Path) -> None:
    """Make everything, in the order in which one thing names another, and say how long each took."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    maker = Maker(folder, options.runs, options.samples, options.steps)
    for what, make in (
        ("people and presets", maker.make_people_and_presets),
        ("runs", maker.make_runs),
        ("events, commands and files", maker.make_history),
        ("samples", maker.make_samples),
        ("metrics of the short runs", maker.make_short_metrics),
        ("metrics of the long run", maker.make_long_metrics),
        ("what charts are drawn from", maker.sum_up),
        ("what the table of runs searches and draws", maker.make_summaries),
        ("the log of the long run", maker.write_log),
    ):
        began = time.perf_counter()
        make()
        print(f"{what}: {time.perf_counter() - began:.1f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"the long run: {maker.runs[-1].get_absolute_url()}")


class Maker:
    """Makes rows through the models; metrics, of which there are millions, within the database."""

    def __init__(self, folder: Path, runs: int, samples: int, steps: int):
        from django.utils.timezone import now

        self.folder, self.run_count, self.sample_count, self.steps = folder, runs, samples, steps
        self.random = random.Random(1)
        self.now = now()

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def make_people_and_presets(self) -> None:
        from django.contrib.auth.models import Group, User

        from operations.serve.first_start import admin_account, first_start
        from presets.models import Preset

        admin = admin_account()
        first_start(admin, with_demo=False)
        others = [User.objects.create_user(name) for name in PEOPLE]
        Group.objects.get(name="trainers").user_set.add(*others)
        self.people = [admin, *others]
        self.presets = list(Preset.objects.listed().prefetch_related("versions"))

    def make_runs(self) -> None:
        from training.models import Run, RunProgress

        self.configs = self._configs()
        self.runs = [self._run(number) for number in range(self.run_count)]
        Run.objects.bulk_create(self.runs, BATCH // 4)
        RunProgress.objects.bulk_create((run.progress for run in self.runs), BATCH)

    def _configs(self) -> list[dict[str, Any]]:
        from presets.config import configs

        return [configs.full_config("builtin", preset.config) for preset in self.presets]

    def _run(self, number: int) -> Any:
        from training.models import Run, RunProgress

        is_long = number == self.run_count - 1
        status = "finished" if is_long else self.random.choices(STATUSES, SHARES)[0]
        created = self.now - timedelta(days=DAYS * (1 - (number + 1) / self.run_count), minutes=1)
        which = self.random.randrange(len(self.presets))
        subject, style = self.random.choice(SUBJECTS), self.random.choice(STYLES)
        has_run = status not in ("queued", "cancelled")
        steps = self.steps if is_long else SHORT_STEPS
        done = steps if status == "finished" else self.random.randrange(10, steps)
        loss = self.random.uniform(0.03, 0.3) if has_run else None
        run = Run(
            pk=self._uuid(),
            name=f"{subject} in {style} {number}" if not is_long else f"A run of {self.steps:,} steps",
            config={**self.configs[which], "learning_rate": self.random.choice((1e-5, 5e-5, 1e-4, 3e-4)), "epochs": 10},
            preset=self.presets[which],
            preset_version=self.presets[which].versions.first(),
            owner=self.random.choice(self.people),
            tags=sorted(self.random.sample(TAGS, self.random.randrange(4))),
            notes=self.random.choice(("", "", f"A **{style}** {subject}.\n\n- sharp at first\n- burnt in the end")),
            status=status,
            status_changed_at=created,
            error=ERROR if status == "failed" else "",
            error_reason="out_of_memory" if status == "failed" else "",
            attempt=int(has_run),
            created_at=created,
            queued_at=created,
            started_at=created + timedelta(seconds=5) if has_run else None,
            ended_at=created + timedelta(seconds=5 + done * 0.4) if has_run else None,
        )
        run.progress = RunProgress(
            global_step=done if has_run else 0,
            epoch=done * 10 // steps if has_run else 0,
            max_step=steps // 10,
            max_epoch=10,
            loss=loss,
            smooth_loss=loss,
            steps_per_second=2.5 if has_run else None,
        )
        return run

    def make_history(self) -> None:
        from training.models import Artifact, RunCommand, RunEvent

        begun = [run for run in self.runs if run.started_at]
        RunEvent.objects.bulk_create((event for run in self.runs for event in self._events(run)), BATCH)
        RunCommand.objects.bulk_create((command for run in begun for command in self._commands(run)), BATCH)
        Artifact.objects.bulk_create((artifact for run in begun for artifact in self._artifacts(run)), BATCH)

    def _events(self, run: Any) -> Iterator[Any]:
        from training.models import RunEvent

        moves = [("queued", "starting"), ("starting", "running"), ("running", run.status)] if run.started_at else []
        times = (run.queued_at, run.started_at, run.ended_at)
        yield RunEvent(run=run, kind="created", data={"name": run.name}, user=run.owner, at=run.created_at)
        for (before, after), at in zip(moves, times, strict=False):
            yield RunEvent(run=run, attempt=1, kind="status_changed", data={"from": before, "to": after}, at=at)

    def _commands(self, run: Any) -> Iterator[Any]:
        from training.models import RunCommand

        for kind in ("sample_default", "backup"):
            yield RunCommand(
                pk=self._uuid(), run=run, attempt=1, kind=kind, status="done", requested_by=run.owner,
                requested_at=run.started_at, ended_at=run.ended_at,
            )  # fmt: skip

    def _artifacts(self, run: Any) -> Iterator[Any]:
        from training.models import Artifact

        for sequence, kind in enumerate(("backup", "save", "model"), start=1):
            path = run.folder / kind / f"{run.name}.safetensors"
            size, step = self.random.randrange(10**6, 4 * 10**9), run.progress.global_step * sequence // 3
            yield Artifact(
                pk=self._uuid(), run=run, attempt=1, sequence=sequence, kind=kind, path=str(path), size=size,
                sha256=f"{self.random.getrandbits(256):064x}", global_step=step, created_at=run.ended_at,
            )  # fmt: skip

    def make_samples(self) -> None:
        """A tenth is of the long run; the pictures themselves are few, and shared."""
        from samples.models import Sample

        paths = self._draw_pictures()
        begun = [run for run in self.runs if run.started_at]
        of_long = self.sample_count // 10
        each = (self.sample_count - of_long) // max(1, len(begun) - 1)
        counts = [*[each] * (len(begun) - 1), self.sample_count - each * (len(begun) - 1)]
        rows = (row for run, count in zip(begun, counts, strict=True) for row in self._samples(run, count, paths))
        Sample.objects.bulk_create(rows, BATCH)

    def _draw_pictures(self) -> list[str]:
        from PIL import Image, ImageDraw

        folder = self.folder / "runs" / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(PICTURES):
            picture = Image.new("RGB", (512, 512), f"hsl({number * 360 // PICTURES}, 45%, 80%)")
            draw = ImageDraw.Draw(picture)
            draw.ellipse((96, 96, 416, 416), fill=f"hsl({(number * 360 // PICTURES + 180) % 360}, 60%, 45%)")
            draw.text((24, 24), str(number), fill="black", font_size=64)
            picture.save(folder / f"{number}.png")
        return [str(folder / f"{number}.png") for number in range(PICTURES)]

    def _samples(self, run: Any, count: int, paths: list[str]) -> Iterator[Any]:
        from samples.models import Sample

        prompts = [f"a {subject}, {style}" for subject, style in zip(SUBJECTS[:4], STYLES[:4], strict=True)]
        for number in range(count):
            step = run.progress.global_step * (number // 4 + 1) // (count // 4 + 1)
            settings = {"width": 512, "height": 512, "seed": 40 + number % 4, "diffusion_steps": 20, "cfg_scale": 7.0}
            yield Sample(
                pk=self._uuid(), run=run, attempt=1, sequence=number + 10, path=self.random.choice(paths),
                index=number % 4, prompt=prompts[number % 4], settings=settings, global_step=step,
                epoch=step // max(1, run.progress.max_step), created_at=run.started_at + timedelta(seconds=step * 0.4),
            )  # fmt: skip

    def make_short_metrics(self) -> None:
        from training.models import Run, RunProgress

        both = f"{Run._meta.db_table} JOIN {RunProgress._meta.db_table} ON run_id = id"
        source = f"(SELECT id FROM {both} WHERE attempt = 1 AND max_step = {SHORT_STEPS // 10}) AS begun"
        start = self.runs[0].created_at
        for tag in ("loss", "smooth_loss"):
            self._insert(tag, SHORT_STEPS, "begun.id", source, start)

    def make_long_metrics(self) -> None:
        from django.db import connection

        pk = self.runs[-1]._meta.pk.get_db_prep_value(self.runs[-1].pk, connection)
        cast = "::uuid" if connection.vendor == "postgresql" else ""
        for tag in SERIES:
            self._insert(tag, self.steps, f"'{pk}'{cast}", "(SELECT 1) AS one", self.runs[-1].started_at)

    def sum_up(self) -> None:
        from training.metrics.summaries import sum_up

        for run in self.runs:
            if run.started_at:
                sum_up(run, 0)

    def _insert(self, tag: str, steps: int, run: str, source: str, start: datetime) -> None:
        from django.db import connection

        value = SERIES[tag].format(steps=steps)
        false = "FALSE" if connection.vendor == "postgresql" else "0"
        sql = INSERT.format(run=run, value=value, source=source, start=start.timestamp(), false=false)
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("%%s", "%s"), [steps - 1, tag])

    def make_summaries(self) -> None:
        from training.metrics.loss_lines import draw_loss
        from training.models import RunSummary

        for first in range(0, len(self.runs), BATCH // 4):
            RunSummary.objects.describe(*self.runs[first : first + BATCH // 4])
        for run in self.runs:
            draw_loss(run)

    def write_log(self) -> None:
        """Lines as a training writes them: progress bars over one another, and here and there an error."""
        path = self.runs[-1].log_file
        path.parent.mkdir(parents=True, exist_ok=True)
        bar = "\r".join(f"caching latents: {done:3} %" for done in range(0, 101, 2))
        with path.open("w") as log:
            number = written = 0
            while written < LOG_BYTES:
                line = f"12:00:00 INFO step {number}: loss 0.1234"
                if number % 100_000 == 77_777:
                    line = f"12:00:00 ERROR step {number}: the sampler failed, and training goes on"
                written += log.write(f"{bar if number % 1000 == 0 else line}\n")
                number += 1


if __name__ == "__main__":
    main()
