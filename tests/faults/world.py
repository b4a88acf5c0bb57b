"""A whole site, with faults for each of its processes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.faults.shadow import Shadow
from tests.faults.surroundings import Clock, Disk
from tests.integration.site import Site
from tests.prepared_database import copy_prepared_database
from tests.waiting import wait_for

HOUR = 3600  # seconds by which the clock is changed
UPGRADE = (
    "ALTER TABLE training_metric RENAME COLUMN value TO reading",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('training', '9999_upgrade', CURRENT_TIMESTAMP)",
)
DOWNGRADE = (
    "ALTER TABLE training_metric RENAME COLUMN reading TO value",
    "DELETE FROM django_migrations WHERE name = '9999_upgrade'",
)
PARTS = {"web": "uvicorn", "worker": "gpu_worker", "engine": "/attempts/", "redis": "valkey-server"}


class World:
    """A site with the defaults: SQLite and the embedded Redis."""

    options: tuple[str, ...] = ("--no-demo",)

    def __init__(self, demo_folder: Path):
        self.root = Path(tempfile.mkdtemp(prefix="faults-"))
        self.clock, self.disk = Clock(self.root), Disk(self.root / "data")
        environment = self.clock.environment | self.environment()
        roots = f"{self.root}:{demo_folder}"
        self.site = Site(self.root / "data", ALLOWED_ROOTS=roots, PREFLIGHT_SECONDS="0", **environment)
        self.token = ""

    def environment(self) -> dict[str, str]:
        """Prepare the database; return the variables that name its server."""
        copy_prepared_database(self.root / "data" / "db.sqlite3")
        return {}

    def start(self) -> World:
        self.site.start(*self.options)
        self.token = self.site.token
        wait_for(lambda: self.site.api("GET", "training/status"), what="the site")
        return self

    def close(self) -> None:
        self.site.clean_up()
        self.disk.close()
        shutil.rmtree(self.root)

    def tend(self) -> None:
        """Restart processes as a service manager would; here `serve` does it."""

    def left_out(self) -> Iterator[tuple[str, str]]:
        """(kind of fault, the reason why it cannot be tried here)."""
        if not self.clock.can_be_turned:
            yield "turn clock", "for want of a C compiler"
        if not self.disk.can_be_filled:
            yield "fill disk", "as only root may mount a small file system"

    # -- queries -----------------------------------------------------------------------------------------------

    def processes(self, part: str) -> list[psutil.Process]:
        return self.site.processes(PARTS[part])

    def shadow(self, run_id: str) -> Shadow:
        return Shadow(self.site.folder / "runs" / run_id)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows directly from the database; parameters are marked by `?`."""
        with closing(sqlite3.connect(f"file:{self.site.folder}/db.sqlite3?mode=ro", uri=True, timeout=60)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, parameters)]

    def call(self, method: str, path: str, body: Any = None) -> int | None:
        """The answer's status, or None without an answer."""
        headers = {"Authorization": f"Token {self.token}"}
        try:
            return requests.request(
                method, f"{self.site.address}{path}", json=body, headers=headers, timeout=60
            ).status_code
        except requests.RequestException:
            return None

    def execute(self, *statements: str) -> None:
        """Change the database directly, without the site."""
        with closing(sqlite3.connect(self.site.folder / "db.sqlite3", timeout=60)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def run_key(self, run_id: str) -> str:
        """The run's id in the format of this database."""
        return run_id.replace("-", "")

    # -- faults ------------------------------------------------------------------------------------------------

    def inject(self, kind: str, shadow: Shadow) -> bool:
        """Begin the fault; return True if it had a target."""
        verb, _, what = kind.partition(" ")
        return getattr(self, f"_{verb}")(what, shadow)

    def repair(self, kind: str) -> None:
        """End a lasting fault."""
        verb, _, what = kind.partition(" ")
        getattr(self, f"_un{verb}")(what)

    def _kill(self, part: str, shadow: Shadow) -> bool:
        return self._signal(part, signal.SIGKILL)

    def _unkill(self, part: str) -> None:
        """`serve` restarts it."""

    def _freeze(self, part: str, shadow: Shadow) -> bool:
        return self._signal(part, signal.SIGSTOP)

    def _unfreeze(self, part: str) -> None:
        self._signal(part, signal.SIGCONT)

    def _signal(self, part: str, number: int) -> bool:
        processes = self.processes(part)
        for process in processes:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue  # it has just ended
        return bool(processes)

    def _tear(self, what: str, shadow: Shadow) -> bool:
        """Like a power cut: the engine is gone, and only a part of its last line is on the disk."""
        engines = self.processes("engine")
        if not engines or not shadow.attempt:
            return False
        for engine in engines:
            engine.kill()
        wait_for(lambda: not self.processes("engine"), what="the engine's end")
        shadow.tear(shadow.attempt, cut=bool(shadow.line_count % 2))
        return True

    def _turn(self, way: str, shadow: Shadow) -> bool:
        self.clock.turn(HOUR if way == "clock forth" else -HOUR)
        return self.clock.can_be_turned

    def _unturn(self, way: str) -> None:
        self.clock.turn(0)

    def _fill(self, what: str, shadow: Shadow) -> bool:
        if self.disk.can_be_filled:
            self.disk.fill()
        return self.disk.can_be_filled

    def _unfill(self, what: str) -> None:
        self.disk.empty()

    def _upgrade(self, what: str, shadow: Shadow) -> bool:
        """Upgrade the database to a newer version, while the processes still have this version."""
        self.execute(*UPGRADE)
        return True

    def _unupgrade(self, what: str) -> None:
        """Undo it: the processes match the database again, as after their own upgrade."""
        self.execute(*DOWNGRADE)
