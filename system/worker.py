"""The worker: claims runs, starts an engine process for each, follows its journal, and passes commands on.

Kill it at any time: the engine process trains on, and the next worker on this host follows it from where the
database is.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from engine.engines import UnknownEngine, get_engine
from engine.interface.commands import Command
from engine.interface.journal import FILE_NAME as JOURNAL
from engine.launcher import EngineProcess, child_environment
from presets import secrets
from system.ingest import JournalReader, StaleAttempt
from system.jobs import JobKeeper
from system.models import LATE, Worker
from system.preflights import PreflightThread
from system.resources import gpus, worker_resources
from system.worker_name import NameLock
from training.models import Artifact, Run, RunCommand
from training.publisher import Publisher, command_message, state_messages

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 2
COMMAND_SECONDS = 0.25  # how often the database is asked for new commands
PASS_SECONDS = 0.05  # at most so many times a second is a journal read
IDLE_SECONDS = 0.5
DATABASE_PAUSE = 1.0
LINGER_SECONDS = 30  # how long an engine process may live on after its last word
SAME_SIGNAL = (
    0.3  # seconds; a service manager tells all processes of a service, and the supervisor tells this one again
)


class GpuWorker:
    """One process that owns one GPU (or the CPU), and trains one run at a time."""

    def __init__(self, name: str, gpu: str = "", once: bool = False):
        self.name, self.gpu, self.once = name, gpu, once
        self.host = socket.gethostname()
        self.publisher = Publisher()
        self.shutting_down = False
        self.detached = False
        self.following: Following | None = None
        self._name = NameLock(name)
        self._beat = 0.0
        self._signal_at = -math.inf

    def run(self) -> None:
        """Work until a signal says otherwise; with `once`, until one run has ended or none is waiting.

        Raises NameTaken.
        """
        self._name.take()
        keeper, preflights = JobKeeper(self.name), PreflightThread(self.name, self.gpu)
        if not self.once:
            keeper.start()
            preflights.start()
        try:
            self._run()
        finally:
            keeper.end()
            preflights.end()
            self._name.release()

    def _run(self) -> None:
        self._listen_to_signals()
        while not self.detached:
            try:
                close_old_connections()
                self._heartbeat()
                if not self._work() and (self.shutting_down or self.once):
                    break
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The database is away, so this worker waits; training goes on. %s", error)
                connection.close()
                time.sleep(DATABASE_PAUSE)
        self._sign_off()

    def _work(self) -> bool:
        """Take the next piece of work; say whether there was one."""
        if self.following is None:
            self.following = self._find_orphan() or self._claim_next()
        if self.following is None:
            if not (self.shutting_down or self.once):
                time.sleep(IDLE_SECONDS)
            return False
        if self.following.step(self.shutting_down):
            return True
        self.following = None
        return not self.once

    # -- taking runs -------------------------------------------------------------------------------------------

    def _find_orphan(self) -> Following | None:
        """A run of this host that nobody follows: this worker's own from before, or a vanished worker's."""
        nobody = Q(worker__name=self.name) | Q(worker__host=self.host, worker__heartbeat_at__lt=now() - LATE)
        for run in Run.objects.active().filter(nobody).select_related("worker"):
            if not self._is_followed_by_another(run) and self._take_over(run):
                logger.info("Following run %s again, attempt %d.", run, run.attempt)
                return Following(run, EngineProcess.find(run.attempt_folder), self.publisher)
        return None

    def _is_followed_by_another(self, run: Run) -> bool:
        """A worker that is only late, since the database was away, goes on with its run."""
        return run.worker is not None and run.worker.name != self.name and NameLock(run.worker.name).is_held

    def _take_over(self, run: Run) -> bool:
        rivals = Run.objects.active().filter(pk=run.pk, worker=run.worker, attempt=run.attempt)
        return rivals.update(worker=self._row()) == 1

    def _claim_next(self) -> Following | None:
        if self.shutting_down or self._row().drain:
            return None
        for run in Run.objects.queued():
            claimed = run.move_to(
                Run.Status.STARTING,
                detail=f"on {self.name}",
                worker=self._row(),
                attempt=run.attempt + 1,
                journal_offset=0,
                journal_sequence=0,
                started_at=run.started_at or now(),
                status_text="starting",
                phase="",
                ended_at=None,
                steps_per_second=None,
                error="",
                error_reason="",
                traceback="",
            )
            if claimed:
                return self._launch(run)
        return None

    def _launch(self, run: Run) -> Following | None:
        logger.info("Starting run %s, attempt %d.", run, run.attempt)
        spec = {
            "run_id": str(run.pk),
            "attempt": run.attempt,
            "engine": run.engine,
            "config": engine_config(run, on_gpu=bool(self.gpu)),
            "resume_from": run.resume_from or None,
        }
        try:
            command = get_engine(run.engine).command(run.attempt_folder)
            environment = self._environment(run)
            process = EngineProcess.start(run.attempt_folder, spec, command, settings.BASE_DIR, environment)
        except (OSError, UnknownEngine, secrets.Unreadable) as error:
            logger.exception("Run %s could not be started.", run)
            Following(run, None, self.publisher).end_unstarted(f"The training process could not be started: {error}")
            return None
        self.publisher.publish(state_messages(run))
        return Following(run, process, self.publisher)

    def _environment(self, run: Run) -> dict[str, str]:
        """The worker's own, with the tokens of the run's owner; these go no other way to the engine."""
        tokens = secrets.environment(run.owner)
        return {**child_environment(), **tokens, "CUDA_VISIBLE_DEVICES": self.gpu, "PYTHONUNBUFFERED": "1"}

    # -- saying that it lives ----------------------------------------------------------------------------------

    def _row(self) -> Worker:
        return Worker.objects.get(name=self.name)

    def _heartbeat(self) -> None:
        if time.monotonic() - self._beat < HEARTBEAT_SECONDS:
            return
        first = self._beat == 0.0
        self._beat = time.monotonic()
        facts: dict[str, Any] = {
            "host": self.host,
            "pid": os.getpid(),
            "gpu": self.gpu,
            "device_name": self._device_name(),
            "status": self._status(),
            "resources": worker_resources(),
            "heartbeat_at": now(),
        }
        if first:
            facts |= {"started_at": now()}
        Worker.objects.update_or_create(name=self.name, defaults=facts)

    def _status(self) -> str:
        if self.shutting_down:
            return Worker.Status.DRAINING
        return Worker.Status.BUSY if self.following else Worker.Status.IDLE

    def _device_name(self) -> str:
        names = [device["name"] for device in gpus() if str(device["id"]) in self.gpu.split(",")]
        return ", ".join(names) or "CPU"

    def _sign_off(self) -> None:
        try:
            Worker.objects.filter(name=self.name).update(status=Worker.Status.OFFLINE, heartbeat_at=now())
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The database is away, so this worker ends without saying so. %s", error)

    # -- signals -----------------------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._shut_down)
        signal.signal(signal.SIGINT, self._shut_down)
        signal.signal(signal.SIGHUP, self._detach)

    def _shut_down(self, number: int, frame: Any) -> None:
        if time.monotonic() - self._signal_at < SAME_SIGNAL:
            return
        self._signal_at = time.monotonic()
        if self.shutting_down and self.following is not None:
            self.following.kill("The worker was ended at once, while this run was training.")
        self.shutting_down = True

    def _detach(self, number: int, frame: Any) -> None:
        """Leave the training running: an upgraded worker will follow it."""
        self.detached = True


class Following:
    """One run's attempt and its engine process, from the start or from half-way, until it has ended."""

    def __init__(self, run: Run, process: EngineProcess | None, publisher: Publisher):
        self.run = run
        self.process = process
        self.publisher = publisher
        self.reader = JournalReader(run)
        self._asked_for_commands = 0.0
        self._shutdown_asked = False
        self._ended_at: float | None = None
        self._killed = ""

    def step(self, shutting_down: bool) -> bool:
        """Wait for news, take them in, pass commands on; say whether the run goes on."""
        alive = self.process is not None and self.process.alive
        if alive and self.process is not None:
            self.process.wait_for_news(COMMAND_SECONDS)
            time.sleep(PASS_SECONDS)
        try:
            while messages := self.reader.read():
                self.publisher.publish(messages)
                if alive:
                    break
        except StaleAttempt as error:
            logger.warning("%s", error)
            return False
        if alive:
            self._pass_commands(shutting_down)
            self._enforce_end()
            return True
        self._end()
        return False

    def kill(self, why: str) -> None:
        self._killed = why
        if self.process is not None:
            self.process.kill()

    # -- commands ----------------------------------------------------------------------------------------------

    def _pass_commands(self, shutting_down: bool) -> None:
        if time.monotonic() - self._asked_for_commands < COMMAND_SECONDS:
            return
        self._asked_for_commands = time.monotonic()
        if shutting_down and not self._shutdown_asked:
            self._ask_to_stop()
            self._shutdown_asked = True  # not before: the database may be away just now
        for command in self.run.commands.filter(status=RunCommand.Status.REQUESTED):
            self._deliver(command)
        self._enforce_stop()

    @transaction.atomic
    def _ask_to_stop(self) -> None:
        self.run.refresh_from_db()
        if self.run.is_active:
            self.run.commands.create(attempt=self.run.attempt, kind="stop", arguments={"final_model": False})
            self.run.move_to(Run.Status.STOPPING, detail="The server is being shut down.")

    def _deliver(self, command: RunCommand) -> None:
        if self.process is None or not self.process.send(Command(command.kind, command.arguments, str(command.pk))):
            return
        waiting = RunCommand.objects.filter(pk=command.pk, status=RunCommand.Status.REQUESTED)
        if waiting.update(status=RunCommand.Status.DELIVERED, delivered_at=now()):
            command.refresh_from_db()
            self.publisher.publish([command_message(command)])

    def _enforce_stop(self) -> None:
        """A stop always ends the run: one that is not obeyed within the grace period is enforced."""
        patience = now() - timedelta(seconds=settings.STOP_GRACE_SECONDS)
        if self.run.commands.filter(kind="stop", status__in=RunCommand.OPEN, requested_at__lt=patience).exists():
            self.kill(f"It did not stop within {settings.STOP_GRACE_SECONDS} seconds, so it was killed.")

    def _enforce_end(self) -> None:
        """A process that has said its last word has nothing to do any more, and holds a GPU's memory."""
        if not self.run.is_ended:
            return
        self._ended_at = self._ended_at or time.monotonic()
        if time.monotonic() - self._ended_at > LINGER_SECONDS:
            self.kill("It did not end after its last word, so it was killed.")

    # -- the end -----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """The process is gone. If it left no last word, it was killed, or the power failed."""
        self.run.refresh_from_db()
        if self.run.is_active:
            self._end_without_a_word()
            self.run.refresh_from_db()
        logger.info("Run %s is %s.", self.run, self.run.status)
        self.publisher.publish(state_messages(self.run))

    def end_unstarted(self, sentence: str) -> None:
        """There never was a process."""
        self._close(Run.Status.FAILED, sentence, "not_started")
        self.publisher.publish(state_messages(self.run))

    @transaction.atomic  # or a kill in between leaves commands open for ever, or a run that nobody resumes
    def _end_without_a_word(self) -> None:
        asked_to_stop = self.run.status == Run.Status.STOPPING
        status = Run.Status.STOPPED if asked_to_stop else Run.Status.INTERRUPTED
        sentence = self._killed or self._how_it_went()
        self._close(status, sentence, "interrupted")
        if not asked_to_stop:
            self._retry()

    @transaction.atomic
    def _close(self, status: str, sentence: str, reason: str) -> None:
        """End the run with a sentence, and with it the commands that nobody will obey any more."""
        self.run.move_to(status, detail=sentence, error=sentence, error_reason=reason)
        for command in self.run.commands.filter(status__in=RunCommand.OPEN):
            done = command.kind == "stop"
            command.status = RunCommand.Status.DONE if done else RunCommand.Status.EXPIRED
            command.detail, command.ended_at = sentence, now()
            command.save(update_fields=["status", "detail", "ended_at"])
            self.publisher.publish([command_message(command)])

    def _how_it_went(self) -> str:
        code = self.process.exit_code if self.process else None
        if code == -signal.SIGKILL:
            return "The training process was killed from outside, most likely because the machine ran out of memory."
        how = f" (exit status {code})" if code else ""
        return f"The training process ended without a word{how}: see the end of its log."

    def _retry(self) -> None:
        """Queue it again from its newest whole backup, as often as its policy allows."""
        if not self.run.retries_left:
            return
        if self._never_began():
            detail, resume_from = "It is started again, as its process never came to be.", self.run.resume_from
        elif backup := self._newest_whole_backup():
            detail, resume_from = f"It goes on by itself from the backup of step {backup.global_step}.", backup.path
        else:
            return
        self.run.move_to(
            Run.Status.QUEUED,
            detail=detail,
            resume_from=resume_from,
            retries_left=self.run.retries_left - 1,
            queued_at=now(),
            ended_at=None,
        )

    def _newest_whole_backup(self) -> Artifact | None:
        """Nobody is there to choose another one where the newest is damaged."""
        is_whole = get_engine(self.run.engine).is_whole
        return next((backup for backup in self.run.backups() if is_whole(Path(backup.path))), None)

    def _never_began(self) -> bool:
        """The worker before this one was killed between claiming the run and starting its process."""
        return self.process is None and not (self.run.attempt_folder / JOURNAL).exists()


def engine_config(run: Run, on_gpu: bool) -> dict[str, Any]:
    """The run's config as its engine gets it."""
    return config_on_host(run.config, run.folder, on_gpu)


def config_on_host(config: dict[str, Any], folder: Path, on_gpu: bool) -> dict[str, Any]:
    """A config as it is used here: all that it writes lies in the data folder, on the worker's device."""
    config = dict(config)
    config["workspace_dir"] = str(folder / "workspace")
    config["cache_dir"] = str(settings.DATA_DIR / "cache")
    config["output_model_destination"] = str(folder / config.get("output_model_destination", "model.safetensors"))
    if not on_gpu:
        config["train_device"] = config["temp_device"] = "cpu"
    elif str(config.get("train_device", "")).startswith("cuda"):
        # the worker's own GPU is the only one that the process sees, whatever its number
        config["train_device"] = "cuda"
    return config
