"""The worker's share of preflights: it checks configs on its own host, in a child process, also while it trains."""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from engine import leash
from engine.launcher import child_environment
from presets.models import Preflight
from presets.preflight import requests as preflights
from system.resources import gpus
from web.database import is_passing
from web.threads import Watch

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
BEAT_SECONDS = 1.0
NICENESS = 5  # training comes first
END = None  # of the child's output


class PreflightThread(Watch):
    """Looks for preflights and does one after the other, until `end()`."""

    def __init__(self, worker: str, gpu: str):
        super().__init__("preflights", LOOK_SECONDS)
        self.worker, self.gpu = worker, gpu

    def end(self) -> None:
        """Leave what is under way to another worker."""
        super().end()
        if self.is_alive():
            self.join()

    def look(self) -> bool:
        """Do the next preflight, if there is one."""
        preflight = preflights.take(self.worker)
        if preflight is None:
            return False
        logger.info("Checking a config, preflight %s.", preflight.pk)
        try:
            with tempfile.TemporaryDirectory(prefix="preflight-") as folder:
                self._check(preflight, Path(folder))
        except Exception as error:
            if is_passing(error):
                raise
            logger.exception("Preflight %s could not be made.", preflight.pk)
            self._say(preflight, **_failure(str(error)))
        return True

    def _check(self, preflight: Preflight, folder: Path) -> None:
        spec = folder / "spec.json"
        spec.write_text(
            json.dumps({"config": self._config(preflight), "engine": preflight.engine, "gpus": self._gpus()})
        )
        with (folder / "errors").open("w+") as errors:
            child = self._start(spec, errors)
            try:
                result = self._follow(preflight, child)
            finally:
                child.kill()
                child.wait()
            errors.seek(0)
            said = errors.read()
        if self._ending.is_set():
            self._say(preflight, status=Preflight.Status.WAITING, heartbeat_at=None)  # for another worker
        elif result is None:
            logger.error("Preflight %s failed: %s", preflight.pk, said)
            self._say(preflight, **_failure(said))
        else:
            self._say(preflight, status=Preflight.Status.DONE, ended_at=now(), **result)

    def _say(self, preflight: Preflight, **changes: Any) -> bool:
        """Note it as soon as the database takes it: what a check has found is not looked for again."""
        while True:
            try:
                return preflights.say(preflight, **changes)
            except Exception as error:
                if self._ending.is_set() or not is_passing(error):
                    raise
                self.tell(error)
                connection.close()
                self._ending.wait(self.pause)

    def _config(self, preflight: Preflight) -> dict[str, Any]:
        from worker.host_config import config_on_host

        return config_on_host(preflight.config, settings.DATA_DIR / "runs" / str(preflight.pk), bool(self.gpu))

    def _gpus(self) -> list[dict[str, Any]]:
        return [device for device in gpus() if str(device["id"]) in self.gpu.split(",")]

    def _start(self, spec: Path, errors: Any) -> subprocess.Popen[str]:
        module = [sys.executable, "-m", "engine.preflight", str(spec)]
        command = [sys.executable, leash.__file__, str(os.getpid()), *module]
        return subprocess.Popen(
            ["nice", "-n", str(NICENESS), *command],
            cwd=settings.BASE_DIR,
            env=child_environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )

    def _follow(self, preflight: Preflight, child: subprocess.Popen[str]) -> dict[str, Any] | None:
        """Note what the child says; its result, or None where it died or is not wanted any more."""
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(child, lines), daemon=True).start()
        while not self._ending.is_set():
            try:
                line = lines.get(timeout=BEAT_SECONDS)
            except queue.Empty:
                if not self._say(preflight):
                    return None
                continue
            if line is END:
                return None
            said = json.loads(line)
            if "problems" in said:
                return said
            if not self._say(preflight, **said):
                return None
        return None


def _read(child: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put(END)


def _failure(said: str) -> dict[str, Any]:
    last = said.strip().splitlines()[-1][:500] if said.strip() else "it was ended from outside"
    sentence = f"The check itself failed ({last}): start it again, and look into the worker's log if it comes again."
    return {"status": Preflight.Status.FAILED, "error": sentence, "ended_at": now()}
