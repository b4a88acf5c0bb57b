"""A preflight in a child process without Django or keys: the worker's thread stores its output in the job."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from engine.guest.environment import of_engine
from engine.interface.json_types import JsonObject
from system.gpus import gpus
from system.jobs import Hold, JobLost, logger
from system.models import Job
from training.runs.draft_starts import start_checked
from worker.guest import compilers_caches, guest_of_check
from worker.host_config import checked_config
from worker.job_process import JobProcess, fail, leashed

NICENESS = 5  # training has priority
END = None  # of the child's output


class PreflightProcess(JobProcess):
    """Runs `python -m engine.preflight` at low priority; its results are kept until the database takes them."""

    @staticmethod
    def is_for(job: Job, host: str) -> bool:
        return True  # it checks what this host can reach

    @staticmethod
    def why_failed(error: Exception) -> str:
        return failure(f"{type(error).__name__}: {error}")

    def start(self) -> subprocess.Popen[str]:
        self.found: JsonObject = {}
        self._hold = Hold(self.job)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._has_ended = self._has_news = False
        self._folder = tempfile.TemporaryDirectory(prefix="preflight-")
        child = self._child(Path(self._folder.name))
        threading.Thread(target=self._read, args=(child,), daemon=True).start()
        return child

    def _child(self, folder: Path) -> subprocess.Popen[str]:
        with suppress(OSError):  # the check reports that nothing can be written there
            self._place.mkdir()
        (folder / "spec.json").write_text(json.dumps(self._spec(folder)))
        module = leashed(sys.executable, "-m", "engine.preflight", str(folder / "spec.json"))
        with (folder / "errors").open("w") as errors:
            return subprocess.Popen(  # nosec B607 # `nice` of the system
                ["nice", "-n", str(NICENESS), *module],
                cwd=settings.BASE_DIR,
                env={**of_engine(), **compilers_caches(), "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def _place(self) -> Path:
        """As the folder of a run, so that the check finds out whether it can be written."""
        return settings.DATA_DIR / "runs" / str(self.job.pk)

    def _spec(self, scratch: Path) -> JsonObject:
        config = self.job.arguments["config"]
        devices = [device for device in gpus() if str(device["id"]) in self.gpu.split(",")]
        engine = self.job.arguments["engine"]
        on_host, permits = checked_config(config, engine, self._place, bool(self.gpu))
        resume_from = self.job.arguments.get("resume_from", "")
        return {
            "config": on_host,
            "engine": engine,
            "door": permits.to_dict(),
            "gpus": devices,
            "resume_from": resume_from,
            "guest": guest_of_check(on_host, self._place, scratch, [resume_from]),
        }

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            self._lines.put(line)
            self.notice()
        self._lines.put(END)
        self.notice()

    def goes_on(self) -> bool:
        """Store its output with a heartbeat; kill the process if the job is lost."""
        try:
            self._take_lines()
            if "problems" in self.found:
                self._log_errors()
                self.job.end(Job.Status.DONE, "", result=self.found)
                start_checked(self.job)
            elif self._has_ended:
                fail(self.job, self._why())
            else:
                self._beat()
                return True
        except JobLost as error:
            logger.info("%s: %s", self.job, error)
        self.kill()
        return False

    def _take_lines(self) -> None:
        while not self._lines.empty():
            line = self._lines.get()
            self._has_ended = self._has_ended or line is END
            self.found |= _object_in(line) if line is not None else {}
            self._has_news = True

    def _beat(self) -> None:
        if self._has_news:
            self._hold(result=self.found)
            self._has_news = False
        else:
            self._hold()

    def _errors(self) -> str:
        return Path(self._folder.name, "errors").read_text(errors="replace").strip()

    def _log_errors(self) -> None:
        """The tracebacks of parts that failed; the user has a sentence for each."""
        if said := self._errors():
            logger.warning("The process of %s reported: %s", self.job, said)

    def _why(self) -> str:
        said = self._errors()
        last = said.splitlines()[-1][:500] if said else "the process was killed"
        logger.error("The process of %s failed: %s", self.job, said)
        return failure(last)

    def kill(self) -> None:
        super().kill()
        self._folder.cleanup()
        with suppress(OSError):  # it was not made, or the run of this check has begun in it
            self._place.rmdir()


def _object_in(line: str) -> JsonObject:
    """The JSON object in a line of the child's output; empty for a line that a library printed."""
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def failure(why: str) -> str:
    """The sentence for a check without a result."""
    return f"The check itself failed ({why}): start it again; if it fails again, see the worker's log."
