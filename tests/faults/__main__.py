"""Seeded rounds and their measurements: `python -m tests.faults --rounds 30 --seed 1`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
import tests.data_folder  # noqa: F401  before anything reads the settings
from tests.faults import plans, table
from tests.faults.rounds import Result, Round
from tests.faults.shared_world import SharedWorld
from tests.faults.world import World
from tests.integration.demo_folder import make_demo_folder, training_config
from tests.needs import postgres_programs


def main() -> int:
    options = read_options()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that every site is removed
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        demo = make_demo_folder(Path(folder) / "demo")
        try:
            for result in play(demo, range(options.seed, options.seed + options.rounds)):
                results.append(result)
        finally:
            say(table.markdown(results) if results else "No round was completed.")
    return int(any(result.problems for result in results))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first round; later rounds use the next seeds")
    return parser.parse_args()


def play(demo: Path, seeds: range) -> Iterator[Result]:
    """Run all rounds of one kind of site in one site."""
    for shared in (False, True):
        chosen = [seed for seed in seeds if plans.is_shared(seed) == shared]
        if not chosen:
            continue
        if shared and not (postgres_programs() and shutil.which("redis-server")):
            say(f"Left out, for want of PostgreSQL or redis-server: {len(chosen)} rounds.")
            continue
        world = SharedWorld(demo) if shared else World(demo)
        try:
            world.start()
            for kind, reason in world.left_out():
                say(f"Left out, {reason}: {kind}.")
            for seed in chosen:
                yield tell(Round(world, plans.make_plan(seed), training_config(demo) | plans.TRAINING).play())
        finally:
            world.close()


def tell(result: Result) -> Result:
    faults = ", ".join(one.fault.kind for one in result.injected) or "no target"
    verdict = "well" if not result.problems else "BROKEN"
    say(f"seed {result.plan.seed}: {faults}: {verdict}, {result.status} after {result.seconds:.0f} s")
    if result.problems:
        say(result.report())
    return result


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
