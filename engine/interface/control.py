"""The control channel: commands go into a running engine process, and wake-ups come out.

The engine process owns a local socket in Linux's abstract name space, which leaves no file behind and has no length
limit; its name and a random key lie in the attempt's folder, readable by its owner alone. Each side proves that it
knows the key (multiprocessing.connection's challenge) before a byte is read. Messages are JSON.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path

from engine.interface.commands import Command, TrainCommands

logger = logging.getLogger("engine")
FILE_NAME = "control.json"
MAX_MESSAGE = 10_000_000


class ControlServer:
    """The engine's end: puts what it receives into `commands`, each command's id once."""

    def __init__(self, folder: Path, commands: TrainCommands):
        self._commands = commands
        self._seen: set[str] = set()
        self._readers: set[Connection] = set()
        self._news = threading.Event()
        self._lock = threading.Lock()
        key = secrets.token_bytes(32)
        name = f"onetrainer-{secrets.token_hex(16)}"
        self._listener = Listener("\0" + name, "AF_UNIX", authkey=key)
        self._publish_address(folder / FILE_NAME, name, key)

    def start(self) -> None:
        for work in (self._accept, self._wake_readers):
            threading.Thread(target=work, daemon=True, name=f"control{work.__name__}").start()

    def wake(self) -> None:
        """Tell every reader that the journal has grown; costs the caller about a microsecond."""
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
            except (AuthenticationError, OSError, EOFError) as error:
                logger.warning("A control connection was refused: %s", error)
                continue
            with self._lock:
                self._readers.add(connection)
            threading.Thread(target=self._receive, args=(connection,), daemon=True, name="control_receive").start()

    def _receive(self, connection: Connection) -> None:
        try:
            while True:
                self._obey(json.loads(connection.recv_bytes(MAX_MESSAGE)))
        except (OSError, EOFError, ValueError):
            logger.debug("A control connection ended.")
        finally:
            self._forget(connection)

    def _obey(self, message: dict) -> None:
        command = Command(message["kind"], message.get("arguments") or {}, message.get("id"))
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
        connection.close()


class ControlClient:
    """The worker's end. Every method raises OSError or EOFError when the engine process cannot be reached."""

    def __init__(self, folder: Path):
        address = json.loads((folder / FILE_NAME).read_text())
        try:
            self._connection = Client("\0" + address["name"], "AF_UNIX", authkey=bytes.fromhex(address["key"]))
        except AuthenticationError as error:
            raise ConnectionError("The engine process refused the key.") from error

    def send(self, command: Command) -> None:
        message = {"kind": command.kind, "arguments": command.arguments, "id": command.id}
        self._connection.send_bytes(json.dumps(message).encode())

    def wait_for_news(self, timeout: float) -> bool:
        """Block until the journal has grown, `timeout` seconds at most; say whether it has."""
        if not self._connection.poll(timeout):
            return False
        while self._connection.poll(0):
            self._connection.recv_bytes(MAX_MESSAGE)
        return True

    def close(self) -> None:
        self._connection.close()
