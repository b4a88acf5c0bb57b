"""The control channel: commands go into a running engine process, and wake-ups come out.

The engine process owns a local socket in Linux's abstract name space, which leaves no file behind and has no length
limit. The kernel says which user connects (`peer`), and only the site's own is admitted. The attempt's folder holds the
socket's name and a random key, readable by the owner alone. Each side proves that it knows the key
(multiprocessing.connection's challenge) before a byte is read. Messages are JSON.

A flood of connections costs the training nothing: they are accepted at a limited rate, few may be unproven at a time,
and the oldest of these is closed for a newer one.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from pathlib import Path

from engine.interface.commands import Command, TrainCommands
from engine.interface.peer import user_of

logger = logging.getLogger("engine")
FILE_NAME = "control.json"
MAX_MESSAGE = 10_000_000
ANSWER_SECONDS = 5  # how long either side may take to answer; a process that hangs never answers
WAITING = 16  # connections that the kernel keeps until they are accepted
MOST_UNPROVEN = 16  # connections that have not proved the key yet
MOST_READERS = 16  # connections that have; a worker has one
REFUSED_SECONDS = 0.02  # the pause after a refused connection: at most 50 of them are looked at in a second
TOLD_SECONDS = 60.0  # how often at most the log reports refused connections


class ControlServer:
    """The engine's end: puts the received commands into `commands`, each command's id once.

    `on_refused` is called with the id of a command that this engine does not know, and with the reason.
    """

    def __init__(
        self, folder: Path, commands: TrainCommands, on_refused: Callable[[str, str], None] = lambda key, reason: None
    ) -> None:
        self._commands = commands
        self._on_refused = on_refused
        self._seen: set[str] = set()
        self._readers: set[Connection] = set()
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._unproven: list[Connection] = []  # the oldest first
        self._refusals = Refusals()
        self._key = secrets.token_bytes(32)
        name = f"onetrainer-{secrets.token_hex(16)}"
        # without the key: the listener would block on the accepted connection, and no other client could connect
        self._listener = Listener("\0" + name, "AF_UNIX", backlog=WAITING)
        self._publish_address(folder / FILE_NAME, name, self._key)

    def start(self) -> None:
        for work in (self._accept, self._wake_readers):
            threading.Thread(target=work, daemon=True, name=f"control{work.__name__}").start()

    def wake(self) -> None:
        """Wake every reader because the journal has grown; costs the caller about a microsecond."""
        self._news.set()

    def _publish_address(self, path: Path, name: str, key: bytes) -> None:
        beside = path.with_suffix(".partial")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps({"name": name, "key": key.hex()}))
        beside.replace(path)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
                if not self._admit(connection):
                    time.sleep(REFUSED_SECONDS)  # a flood waits in the kernel, and takes no time from the training
            except (OSError, RuntimeError) as error:  # there are no more descriptors or threads
                self._refusals.count(str(error))
                time.sleep(REFUSED_SECONDS)

    def _admit(self, connection: Connection) -> bool:
        """Let the client prove the key, in a thread; False if it, or an older one in its favour, was refused."""
        user = user_of(connection)
        if user != os.getuid():
            self._refusals.count(f"it came from user {user}")
            connection.close()
            return False
        with self._lock:
            crowded = self._unproven.pop(0) if len(self._unproven) >= MOST_UNPROVEN else None
            self._unproven.append(connection)
        if crowded is not None:
            self._refusals.count("too many others waited to be admitted")
            hang_up(crowded)
        threading.Thread(target=self._serve, args=(connection,), daemon=True, name="control_serve").start()
        return crowded is None

    def _serve(self, connection: Connection) -> None:
        try:
            limit_waiting(connection, ANSWER_SECONDS)
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            limit_waiting(connection, 0)
        except (AuthenticationError, OSError, EOFError) as error:
            self._refusals.count(str(error) or type(error).__name__)
            self._forget(connection)
            return
        if self._let_in(connection):
            self._receive(connection)

    def _let_in(self, connection: Connection) -> bool:
        with self._lock:
            is_full = len(self._readers) >= MOST_READERS
            if not is_full:
                self._unproven = [one for one in self._unproven if one is not connection]
                self._readers.add(connection)
        if is_full:
            self._refusals.count(f"{MOST_READERS} others are connected")
            self._forget(connection)
        return not is_full

    def _receive(self, connection: Connection) -> None:
        try:
            while True:
                self._take(connection.recv_bytes(MAX_MESSAGE))
        except (OSError, EOFError):
            logger.debug("A control connection ended.")
        finally:
            self._forget(connection)

    def _take(self, text: bytes) -> None:
        """Take one message; a malformed message must not lose the messages after it."""
        try:
            message = json.loads(text)
            command = Command(message["kind"], message.get("arguments") or {}, message.get("id"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("A command could not be read: %s", error)
            self._refuse(text, str(error))
        else:
            self._obey(command)

    def _refuse(self, text: bytes, reason: str) -> None:
        with suppress(ValueError, KeyError, TypeError):  # without an id, nobody waits
            self._on_refused(str(json.loads(text)["id"]), reason)

    def _obey(self, command: Command) -> None:
        with self._lock:
            if command.id in self._seen:
                return
            if command.id:
                self._seen.add(command.id)
        self._commands.put(command)

    def _wake_readers(self) -> None:
        while self._news.wait():
            self._news.clear()
            with self._lock:
                readers = list(self._readers)
            for reader in readers:
                try:
                    reader.send_bytes(b"{}")
                except OSError:
                    self._forget(reader)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._readers.discard(connection)
            self._unproven = [one for one in self._unproven if one is not connection]
        connection.close()


class Refusals:
    """Counts refused connections; the log gets a line about them now and then, however many there are."""

    def __init__(self) -> None:
        self._number = 0
        self._told_at = -TOLD_SECONDS

    def count(self, reason: str) -> None:
        self._number += 1
        if time.monotonic() - self._told_at >= TOLD_SECONDS:
            self._told_at, number, self._number = time.monotonic(), self._number, 0
            logger.warning("Control connections were refused (%d); the last one: %s", number, reason)


class ControlClient:
    """The worker's end. Every method raises OSError or EOFError when the engine process cannot be reached."""

    def __init__(self, folder: Path) -> None:
        address = json.loads((folder / FILE_NAME).read_text())
        try:
            self._connection = connect(address["name"], bytes.fromhex(address["key"]))
        except AuthenticationError as error:
            raise ConnectionError("The engine process refused the key.") from error

    def send(self, command: Command) -> None:
        message = {"kind": command.kind, "arguments": command.arguments, "id": command.id}
        self._connection.send_bytes(json.dumps(message).encode())

    def wait_for_news(self, timeout: float) -> bool:
        """Block until the journal has grown, at most `timeout` seconds; return whether it has."""
        if not self._connection.poll(timeout):
            return False
        while self._connection.poll(0):
            self._connection.recv_bytes(MAX_MESSAGE)
        return True

    def close(self) -> None:
        self._connection.close()


def connect(name: str, key: bytes, seconds: int = ANSWER_SECONDS) -> Connection:
    """As multiprocessing's Client, which waits for ever if nobody answers. Raises OSError, EOFError."""
    with socket.socket(socket.AF_UNIX) as opened:
        limit_socket(opened, seconds)
        opened.connect("\0" + name)
        connection = Connection(opened.detach())
    try:
        answer_challenge(connection, key)
        deliver_challenge(connection, key)
    except BaseException:
        connection.close()
        raise
    return connection


def hang_up(connection: Connection) -> None:
    """End a connection that another thread reads from: that thread then closes it."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


def limit_waiting(connection: Connection, seconds: int) -> None:
    """Make reads that take longer fail, and limit writes for good; 0 lets reads wait for ever."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        limit_socket(same, seconds)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", ANSWER_SECONDS, 0))


def limit_socket(opened: socket.socket, seconds: int) -> None:
    for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        opened.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", seconds, 0))
