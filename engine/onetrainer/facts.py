"""The facts of a OneTrainer checkout's configs, read by its own Python once per version and kept in the data folder.

The first read takes seconds, as OneTrainer loads torch, so a thread does it: a caller gets a sentence during the read
and tries again, and no page waits. The first process that asks reads the facts for all that share the data folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from engine.guest.environment import of_engine
from engine.interface.json_types import JsonObject
from engine.onetrainer.export import MARK

SCRIPT = Path(__file__).with_name("export.py")
SCRIPTS = (SCRIPT, Path(__file__).with_name("source_facts.py"))
EXPORT_SECONDS = 300  # the first import on a slow disk takes minutes
RETRY_SECONDS = 60.0  # how long a failure stands before the next try
LOOK_SECONDS = 2.0  # how often at most the checkout's files are checked
WATCHED = (
    *("modules/util/config", "modules/util/enum", "modules/util/optimizer_util.py"),
    *("modules/util/create.py", "modules/util/path_util.py", "modules/dataLoader"),
)
Facts = JsonObject


class Unavailable(Exception):
    """OneTrainer's facts are not available now; the message says why, and what to do."""


class StillReading(Unavailable):
    """The facts are being read at this moment."""


class Checkout:
    """One checkout with its Python, and the folder that stores its facts."""

    def __init__(self, home: Path, python: Path, folder: Path, look_seconds: float = LOOK_SECONDS):
        self.home, self.python, self.folder, self.look_seconds = home, python, folder, look_seconds
        self._lock = threading.Lock()
        self._known: tuple[str, Facts] | None = None
        self._failed: dict[str, tuple[float, str]] = {}  # by fingerprint: when, and why
        self._thread: threading.Thread | None = None
        self._looked: tuple[float, str] = (-look_seconds, "")

    def facts(self, wait: float = 0) -> Facts:
        """The facts of the present version; raises Unavailable if they are not known within `wait`."""
        fingerprint = self.fingerprint()
        with self._lock:
            if found := self._kept(fingerprint):
                return found
            self._refuse_again(fingerprint)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._learn, args=(fingerprint,), daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(wait)
        if thread.is_alive():
            raise StillReading(
                "OneTrainer's settings are being read, as after each of its updates: try again in a moment."
            )
        with self._lock:
            if found := self._kept(fingerprint):
                return found
            self._refuse_again(fingerprint)
        raise Unavailable("OneTrainer changed while its settings were being read: try again.")

    def fingerprint(self) -> str:
        """A digest that changes with the checkout: its commit, its source and its packages. Raises Unavailable."""
        looked, known = self._looked
        if known and time.monotonic() - looked < self.look_seconds:
            return known
        if not (self.home / "modules").is_dir():
            raise Unavailable(
                f"ONETRAINER_HOME is {self.home}, which has no folder modules: set it to a OneTrainer checkout."
            )
        if not (self.python.is_file() and os.access(self.python, os.X_OK)):
            raise Unavailable(f"{self.python} cannot be run: set ONETRAINER_PYTHON to the Python that OneTrainer uses.")
        seen = hashlib.sha256(f"{self.python}\n{commit_of(self.home)}\n".encode())
        for script in SCRIPTS:
            seen.update(script.read_bytes())
        for line in (*_states(self.home), *_packages(self.python)):
            seen.update(line.encode())
        self._looked = (time.monotonic(), seen.hexdigest()[:16])
        return self._looked[1]

    def _kept(self, fingerprint: str) -> Facts | None:
        if self._known and self._known[0] == fingerprint:
            return self._known[1]
        try:
            found = json.loads(self._file(fingerprint).read_bytes())
        except (FileNotFoundError, ValueError):  # not read yet, or the file was damaged: it is read again
            return None
        self._known = (fingerprint, found)
        return found

    def _file(self, fingerprint: str) -> Path:
        return self.folder / f"schema-{fingerprint}.json"

    def _refuse_again(self, fingerprint: str) -> None:
        when, why = self._failed.get(fingerprint, (0.0, ""))
        if why and time.monotonic() - when < RETRY_SECONDS:
            raise Unavailable(why)

    def _learn(self, fingerprint: str) -> None:
        try:
            self._export(fingerprint)
        except (Unavailable, OSError) as error:
            self._failed = {fingerprint: (time.monotonic(), str(error))}

    def _export(self, fingerprint: str) -> None:
        """Ask OneTrainer's Python and store the answer; of several processes the first asks for all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "export.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = self._file(fingerprint)
            if kept.exists() and _is_json(kept):
                return
            content = _ask(self.home, self.python)
            beside = kept.with_suffix(".part")
            beside.write_text(content, encoding="utf-8")
            beside.replace(kept)
            for old in set(self.folder.glob("schema-*.json")) - {kept}:
                old.unlink(missing_ok=True)


def _ask(home: Path, python: Path) -> str:
    """The JSON that the child prints; otherwise raises Unavailable with the last line of its output."""
    try:
        done = subprocess.run(
            [str(python), str(SCRIPT), str(home)],
            cwd=home,
            env=of_engine(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=EXPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        sentence = f"{python} took more than {EXPORT_SECONDS} s to load OneTrainer: check its disk."
        raise Unavailable(sentence) from None
    except OSError as error:
        raise Unavailable(f"{python} cannot be run ({error.strerror}): correct ONETRAINER_PYTHON.") from error
    said = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not said:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        raise Unavailable(f"OneTrainer's settings cannot be read ({last}): run its install.sh again, or update it.")
    return said[-1].removeprefix(MARK)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def commit_of(home: Path) -> str:
    """The checked-out commit, read from git's own files; empty where git does not manage the folder itself."""
    git = home / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        name = head.removeprefix("ref: ")
        if name == head:
            return head
        if (git / name).is_file():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
    except OSError:  # no repository, or a worktree; the files' times still show a change
        return ""
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")


def _packages(python: Path) -> Iterator[str]:
    """The time of each folder of packages: an installation or removal changes it."""
    for folder in sorted((python.parent.parent / "lib").glob("python3*/site-packages")):
        yield f"{folder} {folder.stat().st_mtime_ns}\n"


def _states(home: Path) -> Iterator[str]:
    """Name, time and size of each file that defines the configs."""
    for watched in WATCHED:
        path = home / watched
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path] if path.is_file() else []:
            stat = file.stat()
            yield f"{file.name} {stat.st_mtime_ns} {stat.st_size}\n"
