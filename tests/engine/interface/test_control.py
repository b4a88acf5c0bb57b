"""The control channel: commands in, wake-ups out."""

import json
import socket

import pytest

from engine.interface.commands import Command, TrainCommands
from engine.interface.control import FILE_NAME, ControlClient, ControlServer, connect
from tests.waiting import wait_for


@pytest.fixture
def commands():
    return TrainCommands()


@pytest.fixture
def server(tmp_path, commands):
    server = ControlServer(tmp_path, commands)
    server.start()
    return server


def test_a_command_arrives_with_its_id_and_arguments(tmp_path, server, commands):
    ControlClient(tmp_path).send(Command("sample_custom", {"prompt": "a star"}, "7"))
    assert commands.wait(10)
    assert commands.take() == [Command("sample_custom", {"prompt": "a star"}, "7")]


def test_a_command_delivered_twice_is_carried_out_once(tmp_path, server, commands):
    client = ControlClient(tmp_path)
    for _ in range(2):
        client.send(Command("backup", id="1"))
    client.send(Command("save", id="2"))
    taken = []
    wait_for(lambda: taken.extend(commands.take()) or len(taken) >= 2)
    assert [command.id for command in taken] == ["1", "2"]


def test_a_reader_is_woken_when_the_journal_grows(tmp_path, server):
    client = ControlClient(tmp_path)

    def woken():
        server.wake()
        return client.wait_for_news(0.05)

    assert wait_for(woken)


def test_the_address_is_readable_by_its_owner_alone(tmp_path, server):
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_wrong_key_is_refused_and_the_server_keeps_serving(tmp_path, server, commands):
    address = json.loads((tmp_path / FILE_NAME).read_text())
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / FILE_NAME).write_text(json.dumps({**address, "key": "00" * 32}))
    with pytest.raises(ConnectionError):
        ControlClient(tmp_path / "wrong")
    ControlClient(tmp_path).send(Command("stop", id="1"))
    wait_for(lambda: commands.stop_requested)


def test_a_process_that_does_not_answer_is_given_up(tmp_path):
    """The process hangs, or was killed and a child of it still holds its socket."""
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"\0{tmp_path}")
        deaf.listen()
        with pytest.raises(OSError):
            connect(str(tmp_path), b"key", seconds=1)


def test_a_client_that_never_proves_the_key_does_not_block_others(tmp_path, server, commands):
    name = json.loads((tmp_path / FILE_NAME).read_text())["name"]
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(f"\0{name}")
        ControlClient(tmp_path).send(Command("backup", id="1"))
        wait_for(commands.take)


def test_a_malformed_message_is_refused_and_later_commands_are_carried_out(tmp_path, commands):
    refused = []
    server = ControlServer(tmp_path, commands, lambda key, reason: refused.append((key, reason)))
    server.start()
    client = ControlClient(tmp_path)
    for text in (b"nonsense", b"[]", b'{"kind": "dance", "id": "7"}'):
        client._connection.send_bytes(text)
    client.send(Command("backup", id="8"))
    wait_for(commands.take)
    assert [key for key, _ in refused] == ["7"] and "dance" in refused[0][1]
