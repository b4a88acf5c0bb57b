"""Trains with a OneTrainer checkout: `ONETRAINER_PYTHON engine/onetrainer/driver.py ATTEMPT_FOLDER`.

Run by OneTrainer's own Python, with ONETRAINER_HOME in the environment. Standard library only, beside OneTrainer
itself.

Both OneTrainer's modules and this project's are imported inside functions: neither is found before `find_modules` has
set the path, and the journal must report the start before the seconds that the import of torch takes.
"""

import json
import logging
import os
import sys
from importlib import util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESUME = "ONETRAINER_DRIVER_RESUME"  # passes the backup to the processes of additional GPUs
GUARDED = "ONETRAINER_DRIVER_GUARDED"  # and what they may load


def find_modules(home: Path) -> None:
    """OneTrainer's modules first, and this project's last, so that neither hides the other's."""
    beside = Path(__file__).resolve().parent
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() not in (beside, ROOT, home)]
    sys.path.insert(0, str(home))
    sys.path.append(str(ROOT))
    os.chdir(home)  # OneTrainer finds its own loaders from there


def main(folder: Path) -> int:
    from engine.guest.confinement import confine

    confinement = confine(folder)  # before a thread starts, and before the config is looked at
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from engine.interface.reporting import Reporter
    from engine.onetrainer.driver_gpus import AdditionalProcesses

    reporter = Reporter(folder, gpu_reader())
    reporter.start(confinement)
    others = AdditionalProcesses(reporter)
    try:
        return reporter.run(lambda: train(folder, reporter, others))
    finally:
        others.end()


def gpu_reader():
    """The function that reads this process's GPU; it reads nothing if there is no pynvml to read it with."""
    try:
        find_pynvml()
        from engine.gpus import read_metrics
    except (ImportError, OSError):
        from engine.interface.gpu_readings import no_metrics

        return no_metrics
    return read_metrics


def find_pynvml() -> None:
    """Take the site's pynvml if this Python has none: the worker names its only file in PYNVML_FILE."""
    file = os.environ.get("PYNVML_FILE", "")
    if util.find_spec("pynvml") is not None or not os.access(file, os.R_OK):
        return
    spec = util.spec_from_file_location("pynvml", file)
    if spec is not None and spec.loader is not None:
        sys.modules["pynvml"] = module = util.module_from_spec(spec)
        spec.loader.exec_module(module)


def train(folder: Path, reporter, others) -> str:
    """Train as the attempt's spec says; return `finished` or `stopped`."""
    from engine.onetrainer.driver_config import make_config
    from engine.onetrainer.driver_failures import explained
    from engine.onetrainer.driver_training import DriverTraining

    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    use_door(spec)
    with explained():
        config = make_config(spec)
    if config.multi_gpu:
        others.expect()
    resume_from(spec.get("resume_from"))
    return DriverTraining(config, reporter, spec.get("keep_backups"), spec.get("resume_from")).run()


def use_door(spec) -> None:
    """Read and write only as the site allows: a path that has been swapped since its check raises BadConfig."""
    from engine.paths.here import install
    from engine.paths.permits import Permits

    permits = Permits.from_spec(spec)
    if permits is not None:
        permits.verify()
    install(permits)
    keep_out_programs(spec)


def keep_out_programs(spec) -> None:
    """Load no pickle but the run's own states, and no code of a model; additional processes do the same."""
    from engine.interface.pickles import are_allowed
    from engine.onetrainer.guards.loading import guard_loading

    door, config = spec.get("door"), spec["config"]
    own = [folder for folder in (config.get("workspace_dir"), spec.get("resume_from")) if folder]
    allowed = door["policy"]["allows_pickles"] if door else are_allowed()
    os.environ[GUARDED] = json.dumps([own, allowed])
    guard_loading(own, allowed)


def resume_from(backup) -> None:
    """Make OneTrainer resume from exactly this backup instead of the newest."""
    from modules.util.config.TrainConfig import TrainConfig

    os.environ[RESUME] = backup or ""
    if backup:
        TrainConfig.get_last_backup_path = lambda self: backup


def prepare_additional_process() -> None:
    """Prepare the process of an additional GPU, which torch started."""
    from engine.onetrainer.driver_gpus import become_additional_process

    become_additional_process()
    from engine.onetrainer.driver_position import Position
    from engine.onetrainer.guards.loading import guard_loading

    if os.environ.get(GUARDED):
        guard_loading(*json.loads(os.environ[GUARDED]))
    if os.environ.get(RESUME):
        resume_from(os.environ[RESUME])
    Position(os.environ.get(RESUME), lambda notice: None).put_in_place()  # the first process reports the notices


if __name__ in ("__main__", "__mp_main__"):
    folder_given = Path(sys.argv[1]).absolute() if __name__ == "__main__" else None
    find_modules(Path(os.environ["ONETRAINER_HOME"]).resolve())
    if folder_given is None:
        prepare_additional_process()
    else:
        sys.exit(main(folder_given))
