"""The demo in the terminal: starts a whole site, trains the demo run over the REST API, and ends the site."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings

from engine.interface.json_types import JsonObject
from operations.serve.default_presets import DEMO
from operations.serve.first_start import DEMO_RUN
from operations.serve.part import leashed
from operations.serve.rest_client import ApiClient, ApiError
from system.data_folder import read_lock
from training.models import Run

LOOK_SECONDS = 0.5
BAR = 30  # characters
ENDS_OF_THE_CURVE = 20  # steps whose mean loss is compared

MANAGE = [sys.executable, "manage.py"]


class DemoFailed(Exception):
    """The demo could not be trained."""


class DemoSite:
    """`manage.py serve` as a child process, with its own data folder and a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "DATA_DIR": str(folder)}

    def __enter__(self) -> DemoSite:
        self._errors: IO[str] = TemporaryFile("w+")
        self._process = subprocess.Popen(
            leashed([*MANAGE, "serve", "--port", "0", "--no-demo"]),
            cwd=settings.BASE_DIR,
            env=self.environment,
            stdout=subprocess.DEVNULL,  # it is in serve.log
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C goes to the demo, which then ends the site
        )
        return self

    def __exit__(self, *error: object) -> None:
        """End the site; a second Ctrl-C is passed on and ends it at once."""
        self._process.send_signal(signal.SIGTERM)
        while self._process.poll() is None:
            try:
                self._process.wait()
            except KeyboardInterrupt:
                self._process.send_signal(signal.SIGTERM)

    def check(self) -> None:
        """Raise DemoFailed if the site has ended."""
        if self._process.poll() is not None:
            self._errors.seek(0)
            reason = self._errors.read().strip().removeprefix("CommandError: ")
            raise DemoFailed(reason or f"The site ended: see {self.folder / 'logs'}.")

    def client(self) -> ApiClient:
        """Wait until the site answers; return a client with the admin's token."""
        while not (address := self._address()):
            self.check()
            time.sleep(LOOK_SECONDS)
        token = subprocess.run(
            [*MANAGE, "create_token", "admin", "--name", "demo", "--replace", "--days", "1"],
            cwd=settings.BASE_DIR,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return ApiClient(address, token.stdout.strip())

    def _address(self) -> str:
        holder = read_lock(self.folder / "serve.lock")
        return holder.get("address", "") if holder.get("pid") == self._process.pid else ""


class Demo:
    """Trains the demo run to its end and reports the result."""

    def __init__(self, site: DemoSite, show: DemoProgress) -> None:
        self.site, self.show = site, show

    def run(self) -> JsonObject:
        """The finished run from the API; raises DemoFailed."""
        self.client = self.site.client()
        try:
            run = self.client.post("runs/", {"preset": DEMO, "name": DEMO_RUN})
            return self._follow(run["id"])
        except ApiError as error:
            self.site.check()
            raise DemoFailed(str(error)) from error

    def _follow(self, run_id: str) -> JsonObject:
        while (run := self.client.get(f"runs/{run_id}/"))["status"] not in Run.ENDED:
            self.site.check()
            self.show.update(run)
            time.sleep(LOOK_SECONDS)
        self.show.update(run)
        if run["status"] != Run.Status.FINISHED:
            raise DemoFailed(f"The run {run['status']}: {run['error'] or 'see its log'} ({self.site.folder / 'runs'})")
        return run

    def results(self, run_id: str) -> list[str]:
        """The paths of samples and model, and how the loss fell."""
        samples = self.client.get(f"runs/{run_id}/samples/")
        folder = os.path.commonpath([str(Path(sample["path"]).parent) for sample in samples["results"]] or ["none"])
        models = [
            artifact["path"]
            for artifact in self.client.get(f"runs/{run_id}/artifacts/")["results"]
            if artifact["kind"] == "model"
        ]
        losses = self.client.get(f"runs/{run_id}/metrics/?tag=loss&points=10000")["series"]["loss"]["values"]
        few = min(ENDS_OF_THE_CURVE, math.ceil(len(losses) / 2))
        return [
            f"Samples  {folder}",
            f"Model    {', '.join(models)}",
            f"Loss     {fmean(losses[:few]):.4f} over the first {few} steps, {fmean(losses[-few:]):.4f} over the last",
        ]


class DemoProgress:
    """A progress bar in a terminal; elsewhere a line for each tenth."""

    def __init__(self, write: Callable[[str], object], is_terminal: bool) -> None:
        self.write, self.is_terminal = write, is_terminal
        self._last = ""

    def update(self, run: JsonObject) -> None:
        line = describe(run)
        shown = line if self.is_terminal else f"{run['status']} {math.floor(10 * run['fraction_done'])}"
        if shown == self._last:
            return
        self._last = shown
        self.write(f"\r\x1b[K{line}" if self.is_terminal else f"{line}\n")

    def end(self) -> None:
        if self.is_terminal and self._last:
            self.write("\n")


def describe(run: JsonObject) -> str:
    """One line: the bar, the step, the loss, the speed, the time left."""
    done = round(BAR * run["fraction_done"])
    doing = run["status"] if run["status"] in Run.ENDED else run["status_text"] or run["status"]
    parts = [f"[{'#' * done}{'.' * (BAR - done)}] {run['fraction_done']:4.0%}"]
    if not run["total_steps"]:
        return f"{parts[0]}  {doing}"
    parts.append(f"step {run['progress']['global_step']}/{run['total_steps']}")
    if run["smooth_loss"] is not None:
        parts.append(f"loss {run['smooth_loss']:.4f}")
    if run["steps_per_second"]:
        parts.append(f"{run['steps_per_second']:.1f} steps/s")
    if run["eta_seconds"]:
        parts.append(f"{run['eta_seconds'] // 60:.0f}:{run['eta_seconds'] % 60:02.0f} left")
    return "  ".join([*parts, doing])
