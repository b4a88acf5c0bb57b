"""A whole site as its users start it: `manage.py serve` in a separate folder, used over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import requests
from django.conf import settings

from engine.template import MARK
from tests.waiting import wait_for

MANAGE = [sys.executable, "manage.py"]
UNHURRIED = Path(__file__).with_name("unhurried")


class Site:
    """A site that `start()` starts on a free port; its terminal output is in `output`."""

    def __init__(self, folder: Path, **environment: str):
        self.folder = folder
        self.terminal = folder.parent / f"{folder.name}.terminal"
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.environment = {
            **kept,
            "DATA_DIR": str(folder),
            "ALLOWED_ROOTS": str(folder.parent.parent),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(UNHURRIED),
            "RETRY_DELAYS": "0.5",
            "ENGINE_ENVIRONMENT": "TESTS_NURSERY,CLOCK_OFFSET",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._session: requests.Session | None = None

    # -- the process -------------------------------------------------------------------------------------------

    def start(self, *options: str) -> Site:
        """Start and wait until the link is printed."""
        self.launch(*options)
        wait_for(lambda: "Ctrl-C ends everything" in self.output or not self.running, 120, "the address")
        assert self.running, self.output
        return self

    def launch(self, *options: str) -> None:
        given = options if "--port" in options else ("--port", "0", *options)
        with self.terminal.open("wb") as terminal:
            self.process = subprocess.Popen(
                [*MANAGE, "serve", *given],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def manage(self, *arguments: str) -> str:
        command = [*MANAGE, *arguments]
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def output(self) -> str:
        return self.terminal.read_text()

    @property
    def link(self) -> str:
        return re.search(r"http://\S+/sign-in/\S+", self.output)[0]

    @property
    def address(self) -> str:
        return self.link.partition("/sign-in/")[0]

    def sign_in(self, browser: Any) -> Any:
        """The browser's state (cookies) after the admin signed in with the printed one-time link."""
        context = browser.new_context()
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(self.link)
        page.click("#sign-in-by-link")
        page.wait_for_url(f"{self.address}/")
        state = context.storage_state()
        context.close()
        return state

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait(self, timeout: float = 120) -> int:
        return wait_for(lambda: not self.running and [self.process.returncode], timeout, "the end of serve")[0]

    def stop(self) -> int:
        """Send Ctrl-C, and again if a training takes long to end."""
        self.interrupt()
        try:
            return self.wait(60)
        except AssertionError:
            self.interrupt()
            return self.wait(60)

    def processes(self, containing: str = "") -> list[psutil.Process]:
        """All processes that were started for this data folder or in it."""
        return [process for process in psutil.process_iter() if self._is_mine(process, containing)]

    def _is_mine(self, process: psutil.Process, containing: str) -> bool:
        try:
            if containing not in " ".join(process.cmdline()):
                return False
            # Redis overwrites its environment with its title, but it runs in the folder.
            environment = process.environ()
            attempt = Path(environment.get(MARK, "").strip())
            mine = str(self.folder) in (environment.get("DATA_DIR"), process.cwd()) or self.folder in attempt.parents
            return mine and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def process_of(self, containing: str) -> psutil.Process:
        return wait_for(lambda: self.processes(containing), what=f"a process with {containing}")[0]

    def kill(self, containing: str) -> None:
        """Kill the process, and wait until it is gone."""
        process = self.process_of(containing)
        process.kill()
        wait_for(lambda: process not in self.processes(containing), what=f"the end of {containing}")
        if self._session is not None:
            self._session.close()  # its connections may have ended with the process

    def clean_up(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it may end by itself at this moment
                process.kill()
        if self.process:
            self.process.wait()

    # -- the API -----------------------------------------------------------------------------------------------

    @cached_property
    def token(self) -> str:
        return self.manage("create_token", "admin")

    def api(self, method: str, path: str, body: Any = None, expect: int | None = None) -> Any:
        """The answer's JSON, as the admin."""
        if self._session is None:
            self._session = requests.Session()
            self._session.trust_env = False
            self._session.headers["Authorization"] = f"Token {self.token}"
        answer = self._session.request(method, f"{self.address}/api/{path}", json=body, timeout=60)
        assert answer.ok if expect is None else answer.status_code == expect, answer.text
        return answer.json()

    def run(self, run_id: str) -> dict[str, Any]:
        return self.api("GET", f"runs/{run_id}/")

    def status(self) -> dict[str, Any]:
        return self.api("GET", "training/status")

    def wait_for_status(self, *statuses: str, timeout: float = 120) -> dict[str, Any]:
        """The active run's state, when its status is one of these."""

        def reached() -> Any:
            state = self.status()
            return state if state["run_status"] in statuses else None

        return wait_for(reached, timeout, f"the status {' or '.join(statuses)}")

    def wait_for_step(self, step: int, timeout: float = 120) -> dict[str, Any]:
        """The active run's state, when it is past this step."""

        def reached() -> Any:
            state = self.status()
            assert state["run_status"] not in ("failed", "cancelled"), state
            return state if (state["progress"] or {}).get("global_step", 0) > step else None

        return wait_for(reached, timeout, f"step {step}")

    def start_run(self, config: dict[str, Any], **changes: Any) -> str:
        return self.api("POST", "training/start", {"config_dict": config | changes, "name": "Gray"})["run_id"]
