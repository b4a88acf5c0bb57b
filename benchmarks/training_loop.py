"""What the trainer's loop costs beyond the computation: `python -m benchmarks.training_loop [--steps 60] [--rounds 3]`.

Trains the demo's LoRA twice in each round: by the trainer, which reads the cache, reports each step and writes a
journal, and by a bare loop of predict, backward and step on the same model and batches, held in memory. Prints the time
of a step as a ratio of the two, whose median is the figure; 1.00 would be a loop that costs nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.trainer import GenericTrainer
from engine.builtin.training.losses import batch_loss
from engine.demo.make_dataset import DATASET
from engine.demo.make_model import MODEL
from engine.interface.reporting import Reporter

BATCHES_PER_EPOCH = 2  # 16 pictures, 8 a batch


def make_trainer(folder: Path, steps: int) -> GenericTrainer:
    """The demo's training, without samples, backups and EMA, which are no part of a step."""
    config = json.loads((MODEL.parent / "config.json").read_text()) | {
        "base_model_name": str(MODEL),
        "concepts": [{"path": str(DATASET)}],
        "workspace_dir": str(folder / "workspace"),
        "cache_dir": str(folder / "cache"),
        "output_model_destination": str(folder / "model.safetensors"),
        "epochs": steps // BATCHES_PER_EPOCH,
        "ema": "OFF",
        "sample_after_unit": "NEVER",
        "backup_after_unit": "NEVER",
    }
    reporter = Reporter(folder)
    reporter.start()
    trainer = GenericTrainer(TrainConfig.from_dict(config), reporter.callbacks(), reporter.commands)
    trainer.start()
    return trainer


def time_trainer(trainer: GenericTrainer, steps: int) -> float:
    """Seconds a step."""
    began = time.perf_counter()
    trainer.train()
    return (time.perf_counter() - began) / steps


def time_bare_loop(trainer: GenericTrainer, steps: int) -> float:
    """Seconds a step of nothing but the computation."""
    session = trainer.session
    batches = list(session.loader.epoch(0))
    generator = torch.Generator(session.device).manual_seed(0)
    began = time.perf_counter()
    for step in range(steps):
        batch = batches[step % len(batches)]
        text = session.family.encode_captions(batch.captions)
        prediction = session.family.predict(batch.latents, text, generator)
        batch_loss(session.config, prediction, batch.loss_weight).backward()
        torch.nn.utils.clip_grad_norm_(session.parameters, 1.0)
        session.optimizer.step()
        session.optimizer.zero_grad(set_to_none=True)
    return (time.perf_counter() - began) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    for number in range(1, options.rounds + 1):
        with tempfile.TemporaryDirectory() as bare_folder, tempfile.TemporaryDirectory() as folder:
            bare = time_bare_loop(make_trainer(Path(bare_folder), options.steps), options.steps)
            whole = time_trainer(make_trainer(Path(folder), options.steps), options.steps)
        ratios.append(whole / bare)
        print(f"round {number}: {whole * 1000:.1f} ms by the trainer, {bare * 1000:.1f} ms bare, {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
