"""One run's attempt and its engine process, followed by a worker until it has ended."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.commands import Command
from engine.interface.json_types import JsonObject
from engine.launcher import KILL_SECONDS, EngineProcess, kill_all_of
from system.gpus import gpu_processes
from training.live.publisher import Publisher, command_message, state_messages
from training.logs.last_lines import last_lines
from training.metrics.loss_lines import LossLine, draw_loss
from training.models import Run, RunCommand
from training.runs.retries import plan_retry
from worker.clock import CLOCK, Clock
from worker.guest import remove_scratch
from worker.ingest import JournalReader, StaleAttempt
from worker.postmortem import Cause, look_into

logger = logging.getLogger(__name__)
COMMAND_SECONDS = 0.25  # how often the database is checked for new commands
PASS_SECONDS = 0.05  # seconds between two reads of a journal, at least
GPU_SECONDS = 5  # how long a GPU's driver may take to free a killed process's memory
LINGER_SECONDS = 30  # how long an engine process may run after its last event


class Following:
    """Follows an attempt from its start, or from a later point, until its process has ended."""

    def __init__(self, run: Run, process: EngineProcess | None, publisher: Publisher, clock: Clock = CLOCK) -> None:
        self.run = run
        self._clock = clock
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
        """Wait for events, store them, pass commands on; return whether the run continues."""
        alive = self.process is not None and self.process.alive
        if alive and self.process is not None:
            self.process.wait_for_news(COMMAND_SECONDS)
            self._clock.sleep(PASS_SECONDS)
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
        """We lost the run to another worker or attempt; kill our process so that it cannot write any more."""
        same = Run.objects.filter(pk=self.run.pk, attempt=self.attempt, status__in=(*Run.ACTIVE, *Run.ENDED))
        if self.process is not None and not same.exists():
            logger.warning("Run %s continued without attempt %d, whose process is killed.", self.run, self.attempt)
            self.process.kill()

    def kill(self, reason: str, sentence: str) -> None:
        """End the process at once; the run's page says why."""
        seconds = KILL_SECONDS if self._killed is None else 1
        self._killed = self._killed or Cause(reason, sentence)
        if self.process is None or self.process.kill(seconds) or self._told_stubborn:
            return
        self._told_stubborn = True
        message = _("The killed process has not ended yet: it waits in the kernel for a driver or a disk.")
        self.run.events.create(attempt=self.attempt, kind="warning", data={"message": message})

    # -- commands ----------------------------------------------------------------------------------------------

    def _pass_commands(self, shutting_down: bool) -> None:
        if self._clock.monotonic() - self._asked_for_commands < COMMAND_SECONDS:
            return
        self._asked_for_commands = self._clock.monotonic()
        self._refuse_another_attempt()
        if shutting_down and not self._shutdown_asked:
            self._ask_to_stop()
            self._shutdown_asked = True  # not before: the database may be unreachable
        self._enforce_stop()
        for command in self._open_commands() if self._killed is None else ():
            if not self._deliver(command):
                break  # it does not accept connections now, and each try may take seconds

    def _refuse_another_attempt(self) -> None:
        self.run.refresh_from_db()
        if self.run.attempt != self.attempt:
            raise StaleAttempt(f"Run {self.run.pk} is in attempt {self.run.attempt} now, not in {self.attempt}.")
        if self.run.is_lost:
            self.run.take_up_again("The worker is back.")

    def _open_commands(self) -> QuerySet[RunCommand]:
        return self.run.commands.filter(status__in=RunCommand.OPEN, attempt=self.attempt)

    @transaction.atomic
    def _ask_to_stop(self) -> None:
        self.run.refresh_from_db()
        if self.run.is_active:
            arguments = {"final_model": False, "shutdown": True}
            self.run.commands.create(attempt=self.run.attempt, kind="stop", arguments=arguments)
            self.run.move_to(Run.Status.STOPPING, detail="The server is shutting down.")

    def _deliver(self, command: RunCommand) -> bool:
        """Send it once on each connection: commands of a killed worker may not have been read.

        The process obeys each id only once, even if it is sent again.
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
        """A stop always ends the run: after the grace period the process is killed."""
        stops = list(self._open_commands().filter(kind="stop").select_related("requested_by"))
        for stop in stops:
            if stop.arguments.get("now"):
                user = stop.requested_by or _("Somebody")
                self.kill("stop_now", _("Stopped at once by %(user)s.") % {"user": user})
                return
        if stops and now() > min(stop.requested_at for stop in stops) + timedelta(seconds=settings.STOP_GRACE_SECONDS):
            sentence = _("The process did not stop within %(patience)s seconds and was killed.")
            self.kill("stop_forced", sentence % {"patience": settings.STOP_GRACE_SECONDS})

    def _enforce_end(self) -> None:
        """Kill a process that does not exit after its last event, since it holds GPU memory."""
        if self.run.is_active:
            return
        self._ended_at = self._ended_at or self._clock.monotonic()
        if self._clock.monotonic() - self._ended_at > LINGER_SECONDS:
            self.kill("killed", "The process did not exit after its last event and was killed.")

    # -- the end -----------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """The process has ended. Without a last event it was killed, or the power failed."""
        self.run.refresh_from_db()
        if self.run.attempt != self.attempt:
            raise StaleAttempt(f"Run {self.run.pk} is in attempt {self.run.attempt} now, not in {self.attempt}.")
        if self.run.is_active:
            self._end_without_a_word()
            self.run.refresh_from_db()
        draw_loss(self.run)
        self._leave_nothing_behind()
        logger.info("Run %s is %s.", self.run, self.run.status)
        self.publisher.publish(state_messages(self.run))

    def _leave_nothing_behind(self) -> None:
        """Kill data loaders and other processes that outlived their engine and would hold its memory for ever."""
        left = kill_all_of(self.run.attempt_folder)
        remove_scratch(self.run.attempt_name)
        if left:
            message = _("%(count)s child processes outlived it and were killed.") % {"count": len(left)}
            self.run.events.create(attempt=self.attempt, kind="warning", data={"message": message})
        if self.process is not None and (holding := self._holds_gpu_memory(left)):
            message = _("Process %(pid)s still holds GPU memory: check with nvidia-smi.")
            data = {"message": message % {"pid": ", ".join(map(str, sorted(holding)))}}
            self.run.events.create(attempt=self.attempt, kind="warning", data=data)

    def _holds_gpu_memory(self, left: list[int]) -> set[int]:
        """The attempt's processes that a GPU still lists, after a moment for the driver to free them."""
        ours = {*left, *self.process.killed, self.process.identity.pid} if self.process else set(left)
        deadline = self._clock.monotonic() + GPU_SECONDS
        while (holding := gpu_processes() & ours) and self._clock.monotonic() < deadline:
            self._clock.sleep(0.2)
        return holding

    def end_unstarted(self, sentence: str, reason: str = "not_started") -> None:
        """The process never started."""
        self._close(Run.Status.FAILED, Cause(reason, sentence))
        self.publisher.publish(state_messages(self.run))

    @transaction.atomic  # or a kill in between would leave commands open for ever, or a run without its retry
    def _end_without_a_word(self) -> None:
        asked_to_stop = self.run.status == Run.Status.STOPPING
        status = Run.Status.STOPPED if asked_to_stop else Run.Status.INTERRUPTED
        self._close(status, self._killed or look_into(self.run.attempt_folder, self.process))
        if not asked_to_stop:
            plan_retry(self.run)

    @transaction.atomic
    def _close(self, status: str, why: Cause) -> None:
        """End the run with a sentence, and close its open commands."""
        facts: JsonObject = {"error": why.sentence, "error_reason": why.reason, "traceback": why.trace}
        self.run.move_to(status, detail=why.sentence, **facts, log_tail=last_lines(self.run.log_file))
        self.publisher.publish([command_message(one) for one in self.run.close_commands(why.sentence, why.sentence)])
