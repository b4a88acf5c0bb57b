"""The worker: claims runs, starts an engine process for each, follows its journal, and passes commands on.

It can be killed at any time: the engine process trains on, and the next worker on this host follows it from the
offset in the database.
"""

from __future__ import annotations

import logging
import math
import os
import signal
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from engine.engines import ENGINES, UnknownEngine, get_engine
from engine.interface.errors import BadConfig
from engine.interface.json_types import JsonObject
from engine.launcher import EngineProcess
from engine.onetrainer.facts import Unavailable
from engine.warm import Template
from presets.datasets.uses import note_uses
from system.account import secrets
from system.data_folder import folder_identity
from system.gpus import gpus
from system.models import AHEAD, LATE, Worker
from system.readings import record
from system.resources import worker_resources
from system.worker_name import NameLock
from training.live.publisher import Publisher, command_message, state_messages
from training.models import RetentionPolicy, Run
from training.runs.starting_points import place_of_start
from web.database import REFUSALS, OtherSchema, has_no_room, other_schema, refuse_other_schema
from web.threads import Watch
from worker.attempt import Following
from worker.catching_up import catch_up
from worker.clock import CLOCK, Clock
from worker.guest import WrongPlace, guest_of, make_scratch, remove_scratch
from worker.host_config import engine_config, keep_random_values
from worker.ingest import StaleAttempt
from worker.job_runner import JobKeeper
from worker.leases import LeaseKeeper, LeaseWatch
from worker.obstacles import Obstacles
from worker.retention import RetentionKeeper
from worker.warm_start import WarmStart, engine_environment

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 2
FRESH: JsonObject = {
    "journal_offset": 0,
    "journal_sequence": 0,
    "steps_per_second": None,
    "busy_until": None,
    "activity": {},
}  # files of an attempt
IDLE_SECONDS = 0.5
DATABASE_PAUSE = 1.0
# Seconds: a service manager sends a signal to all processes of a service, and the supervisor sends it again.
SAME_SIGNAL = 0.3


class GpuWorker:
    """The process that owns one GPU (or the CPU) and trains one run at a time."""

    def __init__(self, name: str, gpu: str = "", once: bool = False, clock: Clock = CLOCK) -> None:
        self.name, self.gpu, self.once = name, gpu, once
        self.clock = clock
        self.host = settings.HOST_NAME
        self.leases = LeaseWatch(clock)
        self.publisher = Publisher()
        self._obstacles = Obstacles(self.publisher, fetches=not once)
        self.shutting_down = False
        self.detached = False
        self.following: Following | None = None
        self._name = NameLock(name)
        self._warm = WarmStart(gpu, self._waits_for_template)
        self._beat = 0.0
        self._waiting_for = ""
        self._signal_at = -math.inf

    def run(self) -> None:
        """Work until a signal; with `once`, until one run has ended or none is waiting.

        Raises NameTaken.
        """
        self._name.take()
        threads: list[Watch] = [JobKeeper(self.name, self.gpu), RetentionKeeper(self.name), LeaseKeeper()]
        if not self.once:
            for thread in threads:
                thread.start()
            for engine in ENGINES.values():
                engine.give_time(0)  # reading the settings of an engine can take long, so it starts before a request
        try:
            self._run()
        finally:
            for thread in threads:
                thread.end()
            self.close()

    def close(self) -> None:
        """End the templates, and let another worker have the name."""
        self._warm.end()
        self._name.release()

    def _run(self) -> None:
        self._listen_to_signals()
        while not self.detached:
            if not self.turn() and (self.shutting_down or self.once):
                break
        self._sign_off()

    def turn(self) -> bool:
        """Do one pass of work, or wait while the database is away; return False if there was nothing to do."""
        try:
            return self._take_turn()
        except OtherSchema as difference:
            return self._wait(str(difference))
        except (DatabaseError, InterfaceError) as error:
            return self._wait(self._why(error))

    def _take_turn(self) -> bool:
        """One pass of work, then a heartbeat: a stuck worker must not look alive."""
        close_old_connections()
        if self._beat == 0.0:
            refuse_other_schema()
            self.heartbeat()
        worked = self._work()
        self.heartbeat()
        self._waiting_for = ""
        return worked

    def _why(self, error: Exception) -> str:
        """Classify the error: unreachable, another version, or a fault of this program."""
        connection.close()
        try:
            difference = other_schema()
        except (DatabaseError, InterfaceError) as away:
            return f"The database is unreachable: {away}"
        if not difference and isinstance(error, REFUSALS):
            return self._own_fault(error)
        what = "The database's disk is full" if has_no_room(error) else "The database is unreachable"
        return difference or f"{what}: {error}"

    def _own_fault(self, error: Exception) -> str:
        logger.error("The database refuses a query of this worker; please report it.", exc_info=error)
        return str(error)

    def _wait(self, why: str) -> bool:
        """Wait a moment, and log the reason once; False if there is no reason to wait."""
        if why != self._waiting_for:
            logger.warning("This worker waits, and training continues. %s", why)
        self._waiting_for = why
        connection.close()
        if self.shutting_down and self.following is None:
            return False
        self.clock.sleep(DATABASE_PAUSE)
        return True

    def _work(self) -> bool:
        """Do the next piece of work; return whether there was one."""
        if self.following is None:
            self.following = self.find_orphan() or self.claim_next()
        if self.following is None:
            if not (self.shutting_down or self.once):
                self.clock.sleep(IDLE_SECONDS)
            return False
        if self.following.step(self.shutting_down):
            return True
        self.following = None
        return not self.once

    # -- taking runs -------------------------------------------------------------------------------------------

    def find_orphan(self) -> Following | None:
        """A run of this data folder that no worker follows: this worker's earlier run, or a vanished worker's.

        The folder counts, not the host's name, which changes when a container is recreated. A lost run is checked
        again: its process may be alive, and its journal may have unread events.
        """
        late = Q(worker__heartbeat_at__lt=now() - LATE) | Q(worker__heartbeat_at__gt=now() + AHEAD)
        late = Q(worker__host=self.host) & late | Q(worker__in=self.leases.silent())
        here = Q(data_folder=folder_identity()) | Q(data_folder="", worker__host=self.host)
        nobody = Q(worker__name=self.name) | (here & late)
        for run in (Run.objects.active() | Run.objects.lost()).filter(nobody).select_related("worker"):
            if not self._is_followed_by_another(run) and self._take_over(run):
                logger.info("Following run %s again, attempt %d.", run, run.attempt)
                return Following(run, EngineProcess.find(run.attempt_folder), self.publisher, self.clock)
        return None

    def _is_followed_by_another(self, run: Run) -> bool:
        """True if the worker is only late because the database was unreachable: then it keeps its run."""
        return run.worker is not None and run.worker.name != self.name and NameLock(run.worker.name).is_held

    def _take_over(self, run: Run) -> bool:
        if run.is_lost:
            return run.take_up_again(f"It is followed by {self.name}.", worker=self._row())
        rivals = Run.objects.active().filter(pk=run.pk, worker=run.worker, attempt=run.attempt)
        return rivals.update(worker=self._row()) == 1

    def claim_next(self) -> Following | None:
        if self.shutting_down or self._row().drain:
            return None
        for run in Run.objects.ready():
            refuse_other_schema()
            if self._may_start(run):
                # before the claim: if this fails, the run still waits
                template = None if self.once else self._warm.template(run)
                if not self._is_ending and (claimed := self.claim(run)):
                    return self._launch(claimed, template)
        return None

    def _may_start(self, run: Run) -> bool:
        return self._knows(run) and self._reaches(run) and self._obstacles.are_gone(run) and self._goes_on(run)

    def _knows(self, run: Run) -> bool:
        """A run waits while its engine's settings are being read; an engine that is missing is a reason to fail."""
        engine = ENGINES.get(run.engine)
        return engine is None or not engine.is_being_read

    @property
    def _is_ending(self) -> bool:
        return self.shutting_down or self.detached

    def _waits_for_template(self) -> bool:
        self.heartbeat()
        return not self._is_ending

    def _goes_on(self, run: Run) -> bool:
        """Read the last attempt's journal to the end; return whether steps are left to train."""
        try:
            return catch_up(run, self.publisher)
        except (StaleAttempt, Run.DoesNotExist) as error:
            logger.info("%s", error)
            return False

    def _reaches(self, run: Run) -> bool:
        """A run that started in another data folder waits for a worker there: its files are not here."""
        own = run.data_folder in ("", folder_identity())
        return run.attempt == 0 or own or run.attempt_folder.is_dir()

    @transaction.atomic
    def claim(self, candidate: Run) -> Run | None:
        run = Run.objects.claim(
            candidate,
            detail=f"on {self.name}",
            worker=self._row(),
            data_folder=folder_identity(),
            started_at=candidate.started_at or now(),
            start_after=None,
            place=None,
            after_run=None,
            status_text="starting",
            phase="",
            ended_at=None,
            progress=FRESH | place_of_start(candidate),
            error="",
            error_reason="",
            traceback="",
            log_tail="",
        )
        if run is not None:
            missed = "The run has a new attempt, and this command was for the previous attempt."
            self.publisher.publish([command_message(one) for one in run.close_commands(missed, missed)])
        return run

    def _launch(self, run: Run, template: Template | None) -> Following | None:
        logger.info("Starting run %s, attempt %d.", run, run.attempt)
        try:
            keep_random_values(run)
            note_uses(run.pk, run.attempt, run.config)
            scratch = make_scratch(run.attempt_name)
            spec = self._spec(run, scratch)
            command = get_engine(run.engine).command(run.attempt_folder)
            # the tokens of the run's owner reach the engine only this way
            environment = engine_environment(self.gpu) | secrets.environment(run.owner) | {"TMPDIR": str(scratch)}
            folder = run.attempt_folder
            process = EngineProcess.start(folder, spec, command, settings.BASE_DIR, environment, template)
        except BadConfig as error:
            remove_scratch(run.attempt_name)
            Following(run, None, self.publisher).end_unstarted(str(error), "bad_config")
            return None
        except (OSError, UnknownEngine, Unavailable, secrets.Unreadable, WrongPlace) as error:
            logger.exception("Run %s could not be started.", run)
            remove_scratch(run.attempt_name)
            Following(run, None, self.publisher).end_unstarted(f"The training process could not be started: {error}")
            return None
        self.publisher.publish(state_messages(run))
        return Following(run, process, self.publisher, self.clock)

    def _spec(self, run: Run, scratch: Path) -> JsonObject:
        config, permits = engine_config(run, on_gpu=bool(self.gpu))
        begun_from = (run.resume_from, run.weights_from)
        return {
            "run_id": str(run.pk),
            "attempt": run.attempt,
            "engine": run.engine,
            "config": config,
            "door": permits.to_dict(),
            "resume_from": run.resume_from or None,
            "weights_from": run.weights_from or None,
            "keep_backups": RetentionPolicy.of(run).rule("backups").may_go_beyond,
            "guest": guest_of(config, run.folder, scratch, begun_from),
        }

    # -- heartbeat --------------------------------------------------------------------------------------------

    def _row(self) -> Worker:
        return Worker.objects.get(name=self.name)

    def heartbeat(self) -> None:
        if self.clock.monotonic() - self._beat < HEARTBEAT_SECONDS:
            return
        first = self._beat == 0.0
        self._beat = self.clock.monotonic()
        facts: JsonObject = {
            "host": self.host,
            "data_folder": folder_identity(),
            "pid": os.getpid(),
            "gpu": self.gpu,
            "device_name": self._device_name(),
            "status": self._status(),
            "resources": worker_resources() | {"suspended": self._suspended(), "training": self._training()},
            "heartbeat_at": now(),
        }
        if first:
            facts |= {"started_at": now()}
        Worker.objects.update_or_create(name=self.name, defaults=facts)
        record(self.host, facts["resources"])

    def _training(self) -> JsonObject | None:
        """The process and run of this worker, so that pages can name the run that uses a GPU."""
        process = self.following.process if self.following else None
        if self.following is None or process is None:
            return None
        return {"pid": process.identity.pid, "run_id": str(self.following.run.pk), "name": self.following.run.name}

    def _status(self) -> str:
        if self.shutting_down:
            return Worker.Status.DRAINING
        return Worker.Status.BUSY if self.following else Worker.Status.IDLE

    def _suspended(self) -> int | None:
        """The worker's training process, if it is suspended by a signal."""
        process = self.following.process if self.following else None
        return process.identity.pid if process is not None and process.is_suspended else None

    def _device_name(self) -> str:
        names = [device["name"] for device in gpus() if str(device["id"]) in self.gpu.split(",")]
        return ", ".join(names) or "CPU"

    def _sign_off(self) -> None:
        try:
            Worker.objects.filter(name=self.name).update(status=Worker.Status.OFFLINE, heartbeat_at=now())
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The database is unreachable, so this worker ends without reporting it. %s", error)

    # -- signals -----------------------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        signal.signal(signal.SIGTERM, self.shut_down)
        signal.signal(signal.SIGINT, self.shut_down)
        signal.signal(signal.SIGHUP, self._detach)

    def shut_down(self, number: int, frame: object) -> None:
        if self.clock.monotonic() - self._signal_at < SAME_SIGNAL:
            return
        self._signal_at = self.clock.monotonic()
        if self.shutting_down and self.following is not None:
            self.following.kill("shutdown", "The worker was stopped at once while this run was training.")
        self.shutting_down = True

    def _detach(self, number: int, frame: object) -> None:
        """Leave the training running: an upgraded worker will follow it."""
        self.detached = True
