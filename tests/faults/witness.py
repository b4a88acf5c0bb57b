"""Polls the site for the state of a run, and compares the answers with the real state.

The real state: the engine's process is alive or not, and the journal contains its events. An answer is `right`,
`wrong`, or `away` if the site reports that it does not know, or does not answer: then it misleads no user.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import psutil
import requests

from tests.faults.shadow import Shadow
from tests.faults.world import World

ACTIVE = ("starting", "running", "paused", "stopping")
ENDED = ("finished", "stopped", "failed", "interrupted")
PAUSE = 0.25  # seconds between two requests
LAG = 2.0  # seconds until a step must be in the database; a later step counts as wrong
PATIENCE = 5.0  # seconds until an answer must arrive; a page gives up by then


@dataclass(frozen=True)
class Truth:
    """The real state of the run at a moment."""

    attempt: int
    alive: bool
    last_word: str
    trainings: int  # processes that train this run
    suspended: bool
    step: tuple[int, int]  # (attempt, step)


@dataclass(frozen=True)
class Answer:
    asked_at: float
    verdict: str
    why: str = ""


class Witness(threading.Thread):
    """Polls until it is stopped; the answers are in `answers`."""

    def __init__(self, world: World, run_id: str, shadow: Shadow):
        super().__init__(daemon=True)
        self.answers: list[Answer] = []
        self._world, self._run_id, self._shadow = world, run_id, shadow
        self._steps: list[tuple[float, tuple[int, int]]] = []
        self._ending = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Token {world.token}"

    def run(self) -> None:
        while not self._ending.wait(PAUSE):
            self.answers.append(self.ask())

    def end(self) -> None:
        self._ending.set()
        self.join()

    def ask(self) -> Answer:
        asked_at, truth = time.monotonic(), self._truth()
        try:
            url = f"{self._world.site.address}/api/runs/{self._run_id}/"
            answer = self._session.get(url, timeout=PATIENCE)
        except requests.RequestException as error:
            return Answer(asked_at, "away", type(error).__name__)
        if answer.status_code == 503:
            return Answer(asked_at, "away", answer.json()["detail"])
        if not answer.ok:
            return Answer(asked_at, "wrong", f"{answer.status_code}: {answer.text[:200]}")
        run = answer.json()
        if run.get("stale"):
            return Answer(asked_at, "away", run["stale"])
        why = lie(run, truth)
        return Answer(asked_at, "wrong" if why else "right", why)

    def _truth(self) -> Truth:
        engines = self._world.processes("engine")
        self._shadow.read()
        present = time.monotonic()
        self._steps.append((present, self._shadow.position))
        due = [step for at, step in self._steps if at <= present - LAG]
        step = due[-1] if due else (0, 0)
        return Truth(
            self._shadow.attempt, bool(engines), self._shadow.last_word(), len(engines), _suspended(engines), step
        )


def _suspended(processes: list[psutil.Process]) -> bool:
    try:
        return bool(processes) and all(process.status() == psutil.STATUS_STOPPED for process in processes)
    except psutil.NoSuchProcess:
        return False


def lie(run: dict, truth: Truth) -> str:
    """The errors in the site's answer as a sentence; empty if it is right."""
    status, attempt = run["status"], run["attempt"]
    if truth.trainings > 1:
        return "two processes train the same run"
    if attempt < truth.attempt:
        return f"it knows attempt {attempt} only, and {truth.attempt} has begun"
    if attempt > truth.attempt:
        return ""  # the run has just been claimed, and has no event yet
    if status in ACTIVE and not truth.alive:
        return f"it says {status}, and the process is gone"
    if status in (*ENDED, "queued") and truth.alive and not truth.last_word:
        return f"it says {status}, and the process trains"
    if truth.suspended and status in ACTIVE:
        return f"it says {status}, and the process is suspended"
    step = (run["progress"] or {}).get("global_step", 0)
    if (attempt, step) < truth.step:
        return f"it says step {step}, and step {truth.step[1]} was done {LAG} s ago"
    return ""
