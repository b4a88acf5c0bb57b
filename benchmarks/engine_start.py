"""Start to first step, warm against fresh: `python -m benchmarks.engine_start [--rounds 3]`.

Trains the demo's LoRA in fresh processes and in forks of a template in turn, and prints the seconds from the start to
the first step as a ratio, by the clock and by the processor, which other work on the machine disturbs less. A first
start that fills the caches of the disk, and the making of the template, are told apart from that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.onetrainer_driver import make_config
from engine.engines import BUILTIN, ROOT
from engine.interface.journal import FILE_NAME, read_journal
from engine.launcher import EngineProcess
from engine.warm import Origin, Template, Templates

PAUSE = 0.01  # seconds between two looks into the journal
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


class Seconds(NamedTuple):
    wall: float
    cpu: float


def first_step(template: Template | None) -> Seconds:
    """From the start of the process to its first step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = {"run_id": "benchmark", "config": make_config(folder, epochs=1000)}
        began = time.perf_counter()
        process = EngineProcess.start(folder, spec, BUILTIN.command(folder), ROOT, ENVIRONMENT, template)
        try:
            while not has_trained(folder):
                time.sleep(PAUSE)
            return Seconds(time.perf_counter() - began, cpu_of(process.identity.pid))
        finally:
            process.kill()


def has_trained(folder: Path) -> bool:
    journal = folder / FILE_NAME
    return journal.exists() and any(event.kind == "progress" for event in read_journal(journal, 0)[0])


def cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def made(templates: Templates) -> tuple[Template, Seconds]:
    began = time.perf_counter()
    template = templates.ready(Origin(sys.executable, BUILTIN.package, ROOT, ENVIRONMENT), lambda: True)
    if template is None:
        raise SystemExit("A template cannot be used here.")
    return template, Seconds(time.perf_counter() - began, cpu_of(template.pid))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"the first start, from a cold disk perhaps: {told(first_step(None))}", flush=True)
    templates = Templates()
    template, seconds = made(templates)
    print(f"the template: {told(seconds)}, {psutil.Process(template.pid).memory_info().rss / 1e6:.0f} MB", flush=True)
    pairs = [(first_step(None), first_step(template)) for _ in range(rounds)]
    templates.end()
    fresh, warm = (Seconds(*map(statistics.median, zip(*kind, strict=True))) for kind in zip(*pairs, strict=True))
    print(f"fresh: {told(fresh)}\nwarm: {told(warm)}")
    print(f"warm to fresh: {warm.wall / fresh.wall:.2f} by the clock, {warm.cpu / fresh.cpu:.2f} by the processor")


def told(seconds: Seconds) -> str:
    return f"{seconds.wall:.2f} s, {seconds.cpu:.2f} s of CPU"


if __name__ == "__main__":
    main()
