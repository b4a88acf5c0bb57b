"""The control channel: commands in, wake-ups out."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from engine.interface.commands import Command, TrainCommands
from engine.interface.control import FILE_NAME, MOST_UNPROVEN, ControlClient, ControlServer, connect
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


NOBODY = """
import os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
with socket.socket(socket.AF_UNIX) as stranger:
    stranger.settimeout(30)
    stranger.connect(chr(0) + sys.argv[1])
    print(stranger.recv(100))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="Only root can become another user.")
def test_another_user_is_turned_away_before_a_byte_is_exchanged(tmp_path, server, commands):
    name = json.loads((tmp_path / FILE_NAME).read_text())["name"]
    said = subprocess.run([sys.executable, "-c", NOBODY, name], capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() in ("b''", "") and "PermissionError" not in said.stderr, said
    ControlClient(tmp_path).send(Command("backup", id="1"))
    wait_for(commands.take)


@contextmanager
def flood(name, seconds_open=0.0):
    """Connections without a key, as fast as threads can make them; each is kept open for a while."""
    over = threading.Event()

    def connect_again_and_again():
        while not over.is_set():
            with suppress(OSError), socket.socket(socket.AF_UNIX) as one:
                one.settimeout(0.5)
                one.connect(f"\0{name}")
                over.wait(seconds_open)

    threads = [threading.Thread(target=connect_again_and_again) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("seconds_open", [0.0, 30.0])
def test_a_flood_of_connections_keeps_nobody_out_and_makes_no_threads(tmp_path, server, commands, seconds_open):
    name = json.loads((tmp_path / FILE_NAME).read_text())["name"]
    connected = ControlClient(tmp_path)
    with flood(name, seconds_open):
        connected.send(Command("backup", id="1"))
        wait_for(commands.take)
        client = wait_for(lambda: attempt(tmp_path))
        client.send(Command("save", id="2"))
        wait_for(commands.take)
        serving = [thread for thread in threading.enumerate() if thread.name == "control_serve"]
        assert len(serving) <= MOST_UNPROVEN + 10


def attempt(folder):
    with suppress(OSError, EOFError):
        return ControlClient(folder)
    return None


def test_a_flood_is_a_few_lines_of_the_log(tmp_path, server, caplog):
    name = json.loads((tmp_path / FILE_NAME).read_text())["name"]
    for _ in range(40):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(f"\0{name}")
    wait_for(lambda: attempt(tmp_path))
    assert len([line for line in caplog.messages if "refused" in line]) <= 1
