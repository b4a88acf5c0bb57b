"""OneTrainer workspaces for tests, in the same form as OneTrainer writes them."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

WEIGHTS = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors

BEGAN = datetime(2026, 3, 1, 10, 0, 0)
PROMPT = "a red star, on a *white* background: very sharp"
CONFIG = {
    "__version": 11,
    "training_method": "LORA",
    "model_type": "STABLE_DIFFUSION_15",
    "base_model_name": "models/stars",
    "output_model_format": "LEGACY_LORA",
    "epochs": 4,
    "batch_size": 2,
    "gradient_accumulation_steps": 1,
    "ema": "CPU",
    "concepts": [{"name": "stars", "path": "stars"}],
    "samples": [{"prompt": PROMPT, "seed": 42, "width": 64, "height": 64}],
    "secrets": {"huggingface_token": "hf_private", "cloud": {"password": "private"}},
}


class Workspace:
    """A folder for trainings; file names are in a time zone `zone` hours ahead of UTC."""

    def __init__(self, folder: Path, zone: int = 0, began: datetime = BEGAN):
        self.folder, self.zone, self.began = folder, zone, began
        folder.mkdir(parents=True, exist_ok=True)

    def stamp(self, minutes: float = 0) -> str:
        return f"{self.began + timedelta(minutes=minutes):%Y-%m-%d_%H-%M-%S}"

    def seconds(self, minutes: float = 0) -> float:
        """Seconds since 1970 on the training's clock at this step."""
        local = (self.began + timedelta(minutes=minutes)).replace(tzinfo=UTC)
        return (local - timedelta(hours=self.zone)).timestamp()

    def config(self, minutes: float = 0, prefix: str = "", **changes: Any) -> Path:
        file = self._new("config", f"{prefix}{self.stamp(minutes)}.json")
        file.write_text(json.dumps({**CONFIG, "workspace_dir": str(self.folder), **changes}))
        return self._at(file, minutes)

    def log(self, minutes: float = 0, prefix: str = "", host: str = "elsewhere", pid: int = 1, steps: int = 0) -> Log:
        folder = self.folder / "tensorboard" / f"{prefix}{self.stamp(minutes)}"
        return Log(folder, self.seconds(minutes), host, pid).steps(0, steps)

    def sample(self, step: int, minutes: float = 0, where: str = "0 - a red star on a white background", **at: int):
        name = f"{self.stamp(minutes)}-training-sample-{self._progress(step, **at)}.png"
        file = self._new("samples", where, name)
        Image.new("RGB", (8, 8), "red").save(file)
        return self._at(file, minutes)

    def backup(self, step: int, minutes: float = 0, whole: bool = True, **at: int) -> Path:
        folder = self._new("backup", f"{self.stamp(minutes)}-backup-{self._progress(step, **at)}", "meta.json").parent
        (folder / "meta.json").write_text(json.dumps({"train_progress": {"global_step": step}}))
        if whole:
            (folder / "onetrainer_config").mkdir()
            (folder / "onetrainer_config" / "args.json").write_text(json.dumps(CONFIG | {"concepts": None}))
        return self._at(folder, minutes)

    def save(self, step: int, minutes: float = 0, prefix: str = "", **at: int) -> Path:
        name = f"{prefix}{self.stamp(minutes)}-save-{self._progress(step, **at)}.safetensors"
        return self.file(minutes, "save", name)

    def file(self, minutes: float, *parts: str, content: bytes = WEIGHTS) -> Path:
        file = self._new(*parts)
        file.write_bytes(content)
        return self._at(file, minutes)

    def _progress(self, step: int, epoch: int = 0, epoch_step: int | None = None) -> str:
        return f"{step}-{epoch}-{step if epoch_step is None else epoch_step}"

    def _new(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _at(self, path: Path, minutes: float) -> Path:
        os.utime(path, (self.seconds(minutes),) * 2)
        return path


class Log:
    """A TensorBoard log of one training, in the format of TensorBoard's own writer."""

    def __init__(self, folder: Path, began: float, host: str, pid: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.began = began
        self.path = folder / f"events.out.tfevents.{int(began):010d}.{host}.{pid}.0"
        self.path.touch()
        self.write(Event(wall_time=began, file_version="brain.Event:2"))

    def write(self, *events: Event) -> None:
        with self.path.open("ab") as file:
            writer = RecordWriter(file)
            for event in events:
                writer.write(event.SerializeToString())
        os.utime(self.path, (events[-1].wall_time,) * 2)

    def steps(self, first: int, end: int) -> Log:
        """Write steps, one per second, with a falling loss."""
        for step in range(first, end):
            values = {"loss/train_step": 1 / (step + 1), "smooth_loss/train_step": 1.0, "lr/unet": 0.001}
            self.scalars(step, self.began + step + 1, **values)
        return self

    def scalars(self, step: int, when: float, **values: float) -> None:
        content = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self.write(*(Event(wall_time=when, step=step, summary=Summary(value=[value])) for value in content))


def living_workspace(folder: Path, pid: int) -> tuple[Workspace, Log]:
    """A training that the process `pid` of this host has just started."""
    workspace = Workspace(folder, began=datetime.now(UTC).replace(tzinfo=None, microsecond=0))
    workspace.config(output_model_destination=str(folder / "model.safetensors"))
    return workspace, workspace.log(host=socket.gethostname(), pid=pid, steps=2)


def finished_workspace(folder: Path, zone: int = 0) -> Workspace:
    """A training of 4 epochs with 5 steps each, with every kind of file that a training writes."""
    workspace = Workspace(folder, zone)
    workspace.config(output_model_destination=str(folder / "model.safetensors"))
    workspace.log(steps=20)
    workspace.sample(0)
    workspace.sample(10, 2, epoch=2, epoch_step=0)
    workspace.sample(10, 2, "0 - a red star on a white background - no-ema", epoch=2, epoch_step=0)
    workspace.sample(12, 3, "custom", epoch=2, epoch_step=2)
    workspace.save(10, 2, epoch=2, epoch_step=0)
    workspace.backup(20, 4, epoch=4, epoch_step=0)
    workspace.file(5, "model.safetensors")
    return workspace
