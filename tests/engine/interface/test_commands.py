"""The mailbox of commands."""

from engine.interface.commands import TrainCommands


def test_a_listener_is_called_after_each_command():
    heard = []
    commands = TrainCommands(on_command=lambda found: heard.append(len(found.take())))
    commands.backup()
    commands.set_on_command(lambda found: heard.append("another"))
    commands.stop()
    assert heard == [1, "another"]


def test_a_stop_from_a_signal_handler_just_before_the_wait_ends_the_wait(monkeypatch):
    commands = TrainCommands(look_seconds=0.01)
    look = commands._arrived.wait
    answers = []

    def wait(timeout):
        if not answers:
            answers.append(commands.stop())  # as the signal handler does, in this thread, before anybody waits
        return look(timeout)

    monkeypatch.setattr(commands._arrived, "wait", wait)
    assert commands.wait()
