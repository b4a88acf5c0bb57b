"""The mailbox of commands."""

from engine.interface import commands as commands_module
from engine.interface.commands import TrainCommands


def test_who_wants_to_hear_of_commands_is_called_after_each():
    heard = []
    commands = TrainCommands(on_command=lambda found: heard.append(len(found.take())))
    commands.backup()
    commands.set_on_command(lambda found: heard.append("another"))
    commands.stop()
    assert heard == [1, "another"]


def test_a_signal_s_handler_that_runs_just_before_the_wait_is_not_slept_through(monkeypatch):
    commands = TrainCommands()
    monkeypatch.setattr(commands_module, "LOOK_SECONDS", 0.01)
    look = commands._arrived.wait
    told = []

    def wait(timeout):
        if not told:
            told.append(commands.stop())  # as the handler, in this thread, while nobody is waiting yet
        return look(timeout)

    monkeypatch.setattr(commands._arrived, "wait", wait)
    assert commands.wait()
