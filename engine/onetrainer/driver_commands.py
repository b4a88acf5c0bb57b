"""From the control channel to OneTrainer's commands, which are flags without an answer."""

from engine.onetrainer.driver_failures import explain
from engine.onetrainer.limits import why_not

CLOSED = "The training ended before this command could run."


class Bridge:
    """Passes commands on between two steps, in the training's own thread, and reports the result of each."""

    def __init__(self, training, received, onetrainers):
        self._training = training
        self._received = received
        self._commands = onetrainers
        self._waiting = {}  # kind: commands that OneTrainer has and has not finished yet
        self._sampled = False
        self._paused = None
        received.set_on_command(self._look_for_stop)
        self._look_for_stop(received)

    def _look_for_stop(self, received):
        """Pass on a stop at once, from any thread: OneTrainer checks for it between two steps."""
        if received.stop_requested:
            self._commands.stop()
            self._training.callbacks.on_update_status("Stopping")
            if not self.final_model_wanted():
                self._training.config.backup_before_save = True

    def final_model_wanted(self):
        stop = self._received.stop_requested
        return stop is None or stop.arguments.get("final_model", True)

    def between_steps(self):
        self._take()
        while self._paused and not self._received.stop_requested:
            self._received.wait()
            self._take()

    def heard(self, status):
        """A default sample has no callback for its end: OneTrainer continues training after the last sample."""
        if status == "Sampling ...":
            self._sampled = True
        elif self._sampled:
            self._sampled = False
            while self._waiting.get("sample_default"):
                self.done("sample_default", f"Generated at step {self._training.progress.global_step}.")

    def asked_for_sample(self):
        waiting = self._waiting.get("sample_custom")
        return waiting[0].id if waiting else None

    def done(self, kind, detail):
        for command in self._pop(kind):
            self._training.callbacks.on_command_done(command, detail)

    def failed(self, kind, error):
        error = explain(error, self._training.config) or error
        commands = self._pop(kind)
        for command in commands:
            self._training.callbacks.on_command_refused(command, f"The command failed: {error}")
        if not commands and kind != "sample_custom":
            self._training.callbacks.on_warning(f"The {kind} could not be written: {error}")

    def close(self):
        """Answer all waiting commands, because the training has ended."""
        self._take_to_wait()
        self.heard("ended")
        self.done("stop", self._where_stopped())
        self.refuse_all(CLOSED)

    def _where_stopped(self):
        if self._training.inner.one_step_trained:
            return f"Stopped after step {self._training.progress.global_step}."
        return "Stopped before this attempt trained a step, so it has written no model and no backup."

    def refuse_all(self, reason):
        self._take_to_wait()
        for kind in list(self._waiting):
            while self._waiting.get(kind):
                for command in self._pop(kind):
                    self._training.callbacks.on_command_refused(command, reason)

    def _take_to_wait(self):
        for command in self._received.take():
            self._waiting.setdefault(command.kind, []).append(command)

    def _pop(self, kind):
        """Custom samples are generated one by one; the other kinds are flags, so one action answers all commands."""
        waiting = self._waiting.get(kind, [])
        popped = waiting[:1] if kind == "sample_custom" else list(waiting)
        self._waiting[kind] = waiting[len(popped) :]
        return popped

    def _take(self):
        config = {"multi_gpu": self._training.config.multi_gpu}
        for command in self._received.take():
            reason = why_not(command.kind, config, bool(self._paused))
            if reason:
                self._training.callbacks.on_command_refused(command, reason)
            elif command.kind in ("pause", "continue"):
                getattr(self, f"_{command.kind}")(command)
            else:
                self._hand_over(command)

    def _hand_over(self, command):
        if command.kind == "sample_custom":
            try:
                self._commands.sample_custom(self._sample(command.arguments))
            except Exception as error:
                self._training.callbacks.on_command_refused(command, f"The sample cannot be generated: {error}")
                return
        elif command.kind != "stop":
            getattr(self._commands, command.kind)()
        self._waiting.setdefault(command.kind, []).append(command)

    def _sample(self, settings):
        from modules.util.config.SampleConfig import SampleConfig

        return SampleConfig.default_values(self._training.config.model_type).from_dict(settings, migrate=False)

    def _pause(self, command):
        """A pause between two steps is safe, because no code of OneTrainer runs during it."""
        self._paused = command
        self._training.say("Paused", "paused")
        step = self._training.progress.global_step
        self._training.callbacks.on_command_done(command, f"Paused after step {step}.")

    def _continue(self, command):
        detail = "Training continues." if self._paused else "The run was not paused."
        self._paused = None
        self._training.say("Training ...")
        self._training.callbacks.on_command_done(command, detail)
