"""The built-in engine's process: `python -m engine.builtin ATTEMPT_FOLDER`."""

import json
import logging
import sys
from pathlib import Path

from engine.builtin.prepare import prepare
from engine.gpus import read_metrics
from engine.guest.confinement import confine
from engine.interface.json_types import JsonObject
from engine.interface.reporting import Reporter
from engine.paths.here import install
from engine.paths.permits import Permits


def main(folder: Path) -> int:
    confinement = confine(folder)  # before a thread starts, and before the config is looked at
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    reporter = Reporter(folder, read_metrics)
    reporter.start(confinement)
    return reporter.run(lambda: train(folder, reporter))


def train(folder: Path, reporter: Reporter) -> str:
    """Train as the attempt's spec says; return `finished` or `stopped`."""
    prepare()  # imports torch, after the journal says that the attempt starts; a template's fork has it already
    from engine.builtin.config.train_config import TrainConfig
    from engine.builtin.trainer import GenericTrainer

    spec = json.loads((folder / "spec.json").read_text())
    use_door(spec)
    config = TrainConfig.from_dict(spec["config"])
    trainer = GenericTrainer(
        config,
        reporter.callbacks(),
        reporter.commands,
        spec.get("resume_from"),
        spec.get("keep_backups"),
        weights_from=spec.get("weights_from"),
    )
    trainer.start()
    trainer.train()
    trainer.end()
    return "stopped" if reporter.commands.stop_requested else "finished"


def use_door(spec: JsonObject) -> None:
    """Read and write only as the site allows; a path that has been swapped since its check raises BadConfig."""
    permits = Permits.from_spec(spec)
    if permits is not None:
        permits.verify()
    install(permits)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
