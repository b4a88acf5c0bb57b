"""One run's attempt and its engine process, followed by a worker until it has ended."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.commands import Command
from engine.launcher import KILL_SECONDS, EngineProcess, kill_all_of
from system.resources import gpu_processes
from training.live.publisher import Publisher, command_message, state_messages
from training.logs.last_lines import last_lines
from training.metrics.loss_lines import LossLine, draw_loss
from training.models import Run, RunCommand
from training.runs.retries import plan_retry
from worker.ingest import JournalReader, StaleAttempt
from worker.postmortem import Cause, look_into

logger = logging.getLogger(__name__)
COMMAND_SECONDS = 0.25  # how often the database is asked for new commands
PASS_SECONDS = 0.05  # at most so many times a second is a journal read
GPU_SECONDS = 5  # how long a GPU's driver may take to let go of what a killed process had
LINGER_SECONDS = 30  # how long an engine process may live on after its last word


class Following:
    """From the start of an attempt, or from half-way, until its process has ended."""

    def __init__(self, run: Run, process: EngineProcess | None, publisher: Publisher):
        self.run = run
        self.attempt = run.attempt
        self.process = process
        self.publisher = publisher
        self.reader = JournalReader(run)
        self._line = LossLine(run)
        self._asked_for_commands = 0.0
        self._sent: set[tuple[int, str]] = set()
        self._shutdown_asked = False
        self._ended_at: float | None = None
        self._killed: Cause | None = None
        self._told_stubborn = False

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
            if alive:
                self._pass_commands(shutting_down)
                self._enforce_end()
                self._line.renew()
                return True
            self._end()
        except (StaleAttempt, Run.DoesNotExist) as error:
            logger.warning("%s", error)
            self._give_way()
        return False

    def _give_way(self) -> None:
        """Another worker reads on, or a newer attempt has begun: then this one's process may write nothing more."""
        same = Run.objects.filter(pk=self.run.pk, attempt=self.attempt, status__in=(*Run.ACTIVE, *Run.ENDED))
        if self.process is not None and not same.exists():
            logger.warning("Run %s has gone on without attempt %d, whose process is killed.", self.run, self.attempt)
            self.process.kill()

    def kill(self, reason: str, sentence: str) -> None:
        """End the process at once; the run's page says why."""
        seconds = KILL_SECONDS if self._killed is None else 1
        self._killed = self._killed or Cause(reason, sentence)
        if self.process is None or self.process.kill(seconds) or self._told_stubborn:
            return
        self._told_stubborn = True
        message = _("Its process was killed and is not gone yet: it waits in the kernel, for a driver or a disk.")
        self.run.events.create(attempt=self.attempt, kind="warning", data={"message": message})

    # -- commands ----------------------------------------------------------------------------------------------

    def _pass_commands(self, shutting_down: bool) -> None:
        if time.monotonic() - self._asked_for_commands < COMMAND_SECONDS:
            return
        self._asked_for_commands = time.monotonic()
        self._refuse_another_attempt()
        if shutting_down and not self._shutdown_asked:
            self._ask_to_stop()
            self._shutdown_asked = True  # not before: the database may be away just now
        self._enforce_stop()
        for command in self._open_commands() if self._killed is None else ():
            if not self._deliver(command):
                break  # it does not listen just now, and each try may take seconds

    def _refuse_another_attempt(self) -> None:
        self.run.refresh_from_db()
        if self.run.attempt != self.attempt:
            raise StaleAttempt(f"Run {self.run.pk} is in attempt {self.run.attempt} by now, not in {self.attempt}.")
        if self.run.is_lost:
            self.run.take_up_again("Its worker is back.")

    def _open_commands(self) -> QuerySet[RunCommand]:
        return self.run.commands.filter(status__in=RunCommand.OPEN, attempt=self.attempt)

    @transaction.atomic
    def _ask_to_stop(self) -> None:
        self.run.refresh_from_db()
        if self.run.is_active:
            arguments = {"final_model": False, "shutdown": True}
            self.run.commands.create(attempt=self.run.attempt, kind="stop", arguments=arguments)
            self.run.move_to(Run.Status.STOPPING, detail="The server is being shut down.")

    def _deliver(self, command: RunCommand) -> bool:
        """Hand it over once on each connection: what a worker sent before it was killed may not have been read.

        The process obeys each id once, however often it comes.
        """
        if self.process is None:
            return False
        if (self.process.connections, str(command.pk)) in self._sent:
            return True
        if not self.process.send(Command(command.kind, command.arguments, str(command.pk))):
            return False
        self._sent.add((self.process.connections, str(command.pk)))
        waiting = RunCommand.objects.filter(pk=command.pk, status=RunCommand.Status.REQUESTED)
        if waiting.update(status=RunCommand.Status.DELIVERED, delivered_at=now()):
            command.refresh_from_db()
            self.publisher.publish([command_message(command)])
        return True

    def _enforce_stop(self) -> None:
        """A stop always ends the run: one that is not obeyed within the grace period is enforced."""
        stops = list(self._open_commands().filter(kind="stop").select_related("requested_by"))
        for stop in stops:
            if stop.arguments.get("now"):
                user = stop.requested_by or _("Somebody")
                self.kill("stop_now", _("%(user)s had it killed at once.") % {"user": user})
                return
        if stops and now() > min(stop.requested_at for stop in stops) + timedelta(seconds=settings.STOP_GRACE_SECONDS):
            sentence = _("It did not stop within %(patience)s seconds, so it was killed.")
            self.kill("stop_forced", sentence % {"patience": settings.STOP_GRACE_SECONDS})

    def _enforce_end(self) -> None:
        """A process that has said its last word has nothing to do any more, and holds a GPU's memory."""
        if self.run.is_active:
            return
        self._ended_at = self._ended_at or time.monotonic()
        if time.monotonic() - self._ended_at > LINGER_SECONDS:
            self.kill("killed", "It did not end after its last word, so it was killed.")

    # -- the end -----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """The process is gone. If it left no last word, it was killed, or the power failed."""
        self.run.refresh_from_db()
        if self.run.attempt != self.attempt:
            raise StaleAttempt(f"Run {self.run.pk} is in attempt {self.run.attempt} by now, not in {self.attempt}.")
        if self.run.is_active:
            self._end_without_a_word()
            self.run.refresh_from_db()
        draw_loss(self.run)
        self._leave_nothing_behind()
        logger.info("Run %s is %s.", self.run, self.run.status)
        self.publisher.publish(state_messages(self.run))

    def _leave_nothing_behind(self) -> None:
        """Data loaders and the like that outlived their engine would hold its memory for ever."""
        left = kill_all_of(self.run.attempt_folder)
        if left:
            message = _("%(count)s processes that it had started outlived it, and were killed.") % {"count": len(left)}
            self.run.events.create(attempt=self.attempt, kind="warning", data={"message": message})
        if self.process is not None and (holding := self._holds_gpu_memory(left)):
            message = _("The GPU says that process %(pid)s still holds its memory: look at nvidia-smi.")
            data = {"message": message % {"pid": ", ".join(map(str, sorted(holding)))}}
            self.run.events.create(attempt=self.attempt, kind="warning", data=data)

    def _holds_gpu_memory(self, left: list[int]) -> set[int]:
        """Which of the attempt's processes a GPU still names, after a moment for the driver to let go."""
        ours = {*left, *self.process.killed, self.process.identity.pid} if self.process else set(left)
        deadline = time.monotonic() + GPU_SECONDS
        while (holding := gpu_processes() & ours) and time.monotonic() < deadline:
            time.sleep(0.2)
        return holding

    def end_unstarted(self, sentence: str) -> None:
        """There never was a process."""
        self._close(Run.Status.FAILED, Cause("not_started", sentence))
        self.publisher.publish(state_messages(self.run))

    @transaction.atomic  # or a kill in between leaves commands open for ever, or a run that nobody resumes
    def _end_without_a_word(self) -> None:
        asked_to_stop = self.run.status == Run.Status.STOPPING
        status = Run.Status.STOPPED if asked_to_stop else Run.Status.INTERRUPTED
        self._close(status, self._killed or look_into(self.run.attempt_folder, self.process))
        if not asked_to_stop:
            plan_retry(self.run)

    @transaction.atomic
    def _close(self, status: str, why: Cause) -> None:
        """End the run with a sentence, and with it the commands that nobody will obey any more."""
        facts: dict[str, Any] = {"error": why.sentence, "error_reason": why.reason, "traceback": why.trace}
        self.run.move_to(status, detail=why.sentence, **facts, log_tail=last_lines(self.run.log_file))
        self.publisher.publish([command_message(one) for one in self.run.close_commands(why.sentence, why.sentence)])
