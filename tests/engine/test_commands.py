"""The mailbox of commands."""

from engine.interface.commands import TrainCommands


def test_who_wants_to_hear_of_commands_is_called_after_each():
    heard = []
    commands = TrainCommands(on_command=lambda found: heard.append(len(found.take())))
    commands.backup()
    commands.set_on_command(lambda found: heard.append("another"))
    commands.stop()
    assert heard == [1, "another"]
